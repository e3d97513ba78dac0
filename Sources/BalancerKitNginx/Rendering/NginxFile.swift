import BalancerKit
public import BalancerKitProxy

/// A whole `nginx.conf` that lets nginx do what the embedded proxy does with the same settings.
///
/// What nginx cannot be told (`fixed` time-outs of a graceful shutdown for idle connections, for instance) and would change no answer is left
/// out; what would change answers is refused.
public struct NginxFile: Sendable {
    /// Where nginx keeps its files. Right when empty: nginx's own places.
    public struct Places: Sendable {
        /// Of the main process's id; nil is nginx's own.
        public var pid: String?
        /// Of messages, from the level notice on; nil is nginx's own place and level.
        public var errorLog: String?
        /// Of requests, where ``ResponseSettings/log`` says nothing else; nil writes none.
        public var accessLog: String?
        /// A directory for bodies that nginx puts aside; nil is nginx's own.
        public var temporary: String?

        public init() {}
    }

    /// The file's contents.
    public let text: String

    /// Renders settings.
    ///
    /// - Throws: ``NginxError`` with the code `notRenderable` for settings that nginx has no words for.
    public init(_ proxy: ProxyConfiguration, places: Places = Places()) throws(NginxError) {
        try self.init([proxy], places: places)
    }

    /// Renders the settings of proxies that run beside one another, each on an address of its own. Threads and the time of a shutdown are
    /// the first one's.
    ///
    /// - Throws: ``NginxError`` with the code `notRenderable` for settings that nginx has no words for, and for no proxies at all.
    public init(_ proxies: [ProxyConfiguration], places: Places = Places()) throws(NginxError) {
        guard let proxy = proxies.first else { throw .notRenderable("there is no proxy") }
        var plans: [RenderingPlan] = []
        for (number, proxy) in proxies.enumerated() { plans.append(try RenderingPlan(proxy, number: number, accessLog: places.accessLog)) }
        var writer = DirectiveWriter()
        writer.write("worker_processes", proxy.threads.map(String.init) ?? "auto")
        writer.write("worker_shutdown_timeout", try NginxTime.text(proxy.timeouts.shutdown, "timeouts.shutdown"))
        if let pid = places.pid { writer.write("pid", pid) }
        if let log = places.errorLog { writer.write("error_log", log, "notice") }
        writer.separate()
        try writer.block("events") { writer in writer.write("worker_connections", "4096") }
        writer.separate()
        try writer.block("http") { (writer) throws(NginxError) in
            Self.writePlaces(places, to: &writer)
            try ZoneRendering.writeConnectionVariable(for: proxies, to: &writer)
            for plan in plans { try plan.write(to: &writer) }
        }
        self.text = writer.text
    }

    private static func writePlaces(_ places: Places, to writer: inout DirectiveWriter) {
        writer.write("access_log", places.accessLog ?? "off")
        guard let directory = places.temporary else { return }
        for (name, folder) in [
            ("client_body", "body"), ("proxy", "proxy"), ("fastcgi", "fastcgi"), ("uwsgi", "uwsgi"), ("scgi", "scgi"),
        ] {
            writer.write("\(name)_temp_path", "\(directory)/\(folder)")
        }
    }
}

/// Times as nginx writes them.
enum NginxTime {
    /// Milliseconds, or seconds where they are whole.
    static func text(_ duration: Duration, _ setting: String) throws(NginxError) -> String {
        let (seconds, attoseconds) = duration.components
        guard seconds >= 0, attoseconds >= 0, seconds <= Int64.max / 2000 else { throw .notRenderable("\(setting) is no time for nginx") }
        guard attoseconds > 0 else { return "\(seconds)s" }
        let milliseconds = (attoseconds + 999_999_999_999_999) / 1_000_000_000_000_000
        return "\(seconds * 1000 + milliseconds)ms"
    }
}

extension NginxError {
    static func notRenderable(_ message: String) -> NginxError {
        NginxError(code: .notRenderable, message: message)
    }
}
