import BalancerKitProxy

/// What responses get and where they are noted, as `add_header`, `expires` and `access_log`. nginx hands it on from block to block as the embedded proxy does.
enum ResponseRendering {
    /// - Parameter log: where the file's requests are noted where nothing else is said; nil is nowhere.
    static func write(_ settings: ResponseSettings, log: String?, to writer: inout DirectiveWriter) throws(NginxError) {
        if let fields = settings.fields { try Self.write(fields, to: &writer) }
        if let expiry = settings.expiry { writer.write(["expires"] + Self.words(expiry)) }
        switch settings.log {
        case nil: break
        case .off: writer.write("access_log", "off")
        case .logger: writer.write("access_log", log ?? "off")
        case .files(let paths): for path in paths { try Self.writeLog(path, to: &writer) }
        }
    }

    private static func writeLog(_ path: String, to writer: inout DirectiveWriter) throws(NginxError) {
        try RenderingPlan.checkText(path, "the path of a log")
        guard path.hasPrefix("/") else { throw .notRenderable("nginx takes a relative path below a directory of its own: responses.log") }
        guard !path.contains("$") else { throw .notRenderable("a log with a dollar sign") }
        writer.write("access_log", path, "combined")
    }

    private static func write(_ fields: [ResponseField], to writer: inout DirectiveWriter) throws(NginxError) {
        for field in fields {
            writer.write(["add_header", field.name, try field.value.rendered()] + (field.isAlways ? ["always"] : []))
        }
        // Said to be none, which is not the same as said nothing: an empty field is not sent, and what is said around it holds no more.
        if fields.isEmpty { writer.write("add_header", "X-None", "") }
    }

    private static func words(_ expiry: ResponseExpiry) -> [String] {
        switch expiry {
        case .off: ["off"]
        case .epoch: ["epoch"]
        case .max: ["max"]
        case .after(let time): [Self.text(time)]
        case .afterModification(let time): ["modified", Self.text(time)]
        case .atTimeOfDay(let time): ["@\(time.components.seconds)s"]
        }
    }

    private static func text(_ time: Duration) -> String {
        let seconds = time.components.seconds
        return (seconds < 0 ? "-" : "") + "\(seconds.magnitude)s"
    }
}
