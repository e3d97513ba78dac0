public import BalancerKitProxy

/// Where a file belongs.
public enum NginxContext: Hashable, Sendable {
    /// A whole `nginx.conf`.
    case main
    /// A fragment that stands within `http { … }`, such as a file of `sites-available`.
    case http
}

/// A configuration file of nginx, ready to run in a ``ReverseProxy``.
///
/// ```swift
/// let site = try NginxConfiguration(contentsOf: "/etc/nginx/sites-available/myapp", context: .http)
/// try await ReverseProxy(site.proxy).run()
/// ```
///
/// The file is read by nginx's grammar and judged by nginx's rules, so that what `nginx -t` refuses is refused here in the same words.
/// A directive that nginx knows and that has no effect here is an entry of ``report``; one whose absence would answer requests wrongly
/// (another upstream protocol, access rules, regular expressions) is an error with the code `unsupported`. None is ignored in silence.
///
/// An embedded proxy listens on one address. A file with several of them, such as port 80 beside 443, makes as many ``proxies``.
public struct NginxConfiguration: Sendable {
    /// The statements as they were written, included files in their places.
    public let syntax: NginxSyntaxTree
    /// The same as settings of embedded proxies: one for each address, in the order in which the file mentions the addresses. Never empty.
    public var proxies: [ProxyConfiguration]
    /// The first of ``proxies``, which is the only one of most fragments.
    public var proxy: ProxyConfiguration {
        get { self.proxies[0] }
        set { self.proxies[0] = newValue }
    }
    /// What of the file has no effect here, or another one.
    public let report: CompatibilityReport

    /// Reads a file and what it includes.
    ///
    /// - Parameters:
    ///   - prefix: where relative names in `include` begin; by default the directory of the file.
    /// - Throws: ``NginxError`` with the file and line.
    public init(contentsOf file: String, context: NginxContext = .main, prefix: String? = nil) throws(NginxError) {
        try self.init(parsing: ConfigurationFile.read(file), file: file, context: context, prefix: prefix)
    }

    /// Reads a text and what it includes.
    ///
    /// - Parameters:
    ///   - file: what errors call the text.
    ///   - prefix: where relative names in `include` begin; by default the directory of `file`.
    /// - Throws: ``NginxError`` with the file and line.
    public init(
        parsing bytes: some Sequence<UInt8>, file: String = "nginx.conf", context: NginxContext = .main, prefix: String? = nil
    ) throws(NginxError) {
        let scope = DirectiveScope(try Self.checkedSyntax(Array(bytes), file: file, context: context, prefix: prefix))
        var mapping = ConfigurationMapping(scope, context, prefix: prefix ?? ConfigurationFile.directory(of: file))
        self.proxies = try mapping.map()
        self.syntax = scope.tree
        self.report = mapping.report
    }

    /// Reads and judges as nginx does, with no regard to what the embedded proxy can.
    static func checkedSyntax(
        _ bytes: [UInt8], file: String, context: NginxContext, prefix: String?
    ) throws(NginxError) -> NginxSyntaxTree {
        let prefix = prefix ?? ConfigurationFile.directory(of: file)
        var parser = SyntaxParser(
            DirectiveChecker(), files: Inclusion(prefix: prefix, main: file, bytes: bytes.count))
        let tree = try parser.parse(bytes, file: file, context: context == .main ? .main : .http)
        try ConfigurationCheck(DirectiveScope(tree)).check(context)
        return tree
    }
}
