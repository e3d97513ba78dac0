/// The syntax of ``ServiceURL``: RFC 3986 §3, with a list of hosts.
///
/// Three choices are stricter or laxer than the RFC. The user and password end at the *last* `@`, as every driver in wide use reads
/// it, so that a password with an unencoded `@` works. For the same reason an unencoded `@` in path or query is refused: it shows
/// that the password holds a `/` or `?`, and half of it would otherwise end up, printable, in the path. Characters beyond ASCII
/// may stand unencoded outside host names.
struct ServiceURLParser {
    private typealias Bytes = Substring.UTF8View

    /// The parts that are percent-encoded.
    private enum Part: String {
        case user, password, path, query
    }

    let schemes: [ServiceURL.Scheme]

    func parse(_ text: String) throws(ServiceURLError) -> ServiceURL {
        try Self.checkCharacters(text)
        let (scheme, rest) = try self.scheme(of: text)
        let (beforeQuery, query) = Self.split(rest, atFirst: "?")
        let options = try Self.options(in: query, of: scheme)
        guard beforeQuery.starts(with: "//".utf8) else {
            guard scheme.hosts == .none || (scheme.defaultHost != nil && beforeQuery.isEmpty) else {
                throw ServiceURLError(code: .missingHost, message: "'//' and a host must follow the scheme")
            }
            return try self.assemble(scheme, user: nil, password: nil, hosts: scheme.defaultHosts, path: beforeQuery, options: options)
        }
        let afterSlashes = beforeQuery.dropFirst(2)
        let pathStart = afterSlashes.firstIndex(of: UInt8(ascii: "/")) ?? afterSlashes.endIndex
        let authority = afterSlashes[..<pathStart]
        let at = authority.lastIndex(of: UInt8(ascii: "@"))
        guard scheme.hosts != .none || authority.isEmpty else {
            throw ServiceURLError(code: .unexpectedHost, message: "\(scheme.name) URLs have no host and no user")
        }
        let (user, password) = try Self.credentials(in: at.map { authority[..<$0] })
        let hostList = at.map { authority[authority.index(after: $0)...] } ?? authority
        return try self.assemble(
            scheme, user: user, password: password, hosts: Self.hosts(in: hostList, of: scheme), path: afterSlashes[pathStart...],
            options: options)
    }

    private func assemble(
        _ scheme: ServiceURL.Scheme, user: String?, password: Secret?, hosts: [ServiceURL.Host], path: Bytes,
        options: [ServiceURL.Option]
    ) throws(ServiceURLError) -> ServiceURL {
        let decoded = try Self.decode(path, of: .path)
        let isEmpty = path.isEmpty || path.elementsEqual("/".utf8)
        switch scheme.path {
        case .unused where !isEmpty:
            throw ServiceURLError(code: .unexpectedPath, message: "\(scheme.name) URLs have no path")
        case .required(let meaning) where isEmpty:
            throw ServiceURLError(code: .missingPath, message: "the path, which is the \(meaning), is missing")
        case .unused, .optional, .required:
            return ServiceURL(
                scheme: scheme, user: user, password: password, hosts: hosts, path: decoded, rawPath: String(Substring(path)),
                options: options)
        }
    }

    // MARK: Scheme

    /// RFC 3986 §2 leaves no room for white space and control characters; a line end out of a file is the usual culprit.
    private static func checkCharacters(_ text: String) throws(ServiceURLError) {
        if let offset = text.utf8.enumerated().first(where: { $0.element <= 0x20 || $0.element == 0x7F })?.offset {
            throw ServiceURLError(
                code: .invalidCharacter, message: "a space or control character at byte \(offset) must be percent-encoded or removed")
        }
        if text.utf8.contains(UInt8(ascii: "#")) {
            throw ServiceURLError(
                code: .unexpectedFragment, message: "a URL of a service has no fragment; a '#' in a password is written %23")
        }
    }

    private func scheme(of text: String) throws(ServiceURLError) -> (ServiceURL.Scheme, Bytes) {
        let bytes = text[...].utf8
        guard let colon = bytes.firstIndex(of: UInt8(ascii: ":")), colon > bytes.startIndex else {
            throw ServiceURLError(code: .missingScheme, message: "it must begin with \(self.expectedSchemes)")
        }
        let name = Substring(bytes[..<colon]).lowercased()
        guard let scheme = self.schemes.first(where: { $0.name == name }) else {
            throw ServiceURLError(code: .unknownScheme, message: "the scheme is none of \(self.expectedSchemes)")
        }
        return (scheme, bytes[bytes.index(after: colon)...])
    }

    private var expectedSchemes: String {
        self.schemes.map { "\($0.name):\($0.hosts == .none ? "" : "//")" }.joined(separator: ", ")
    }

    // MARK: Credentials

    private static func credentials(in text: Bytes?) throws(ServiceURLError) -> (user: String?, password: Secret?) {
        guard let text else { return (nil, nil) }
        let (rawUser, rawPassword) = self.split(text, atFirst: ":")
        let user = try self.decode(rawUser, of: .user)
        let password = try self.decode(rawPassword ?? text[text.endIndex...], of: .password)
        return (user.isEmpty ? nil : user, password.isEmpty ? nil : Secret(password))
    }

    // MARK: Path and query

    private static func options(in query: Bytes?, of scheme: ServiceURL.Scheme) throws(ServiceURLError) -> [ServiceURL.Option] {
        guard let query else { return [] }
        var options: [ServiceURL.Option] = []
        var names: Set<String> = []
        for item in query.split(separator: UInt8(ascii: "&")) {
            let (rawName, rawValue) = self.split(item, atFirst: "=")
            let name = try self.decode(rawName, of: .query)
            let value = try self.decode(rawValue ?? item[item.endIndex...], of: .query)
            let position = options.count + 1
            guard scheme.options.contains(name) else {
                let known = scheme.options.isEmpty ? "none" : scheme.options.sorted().joined(separator: ", ")
                throw ServiceURLError(
                    code: .unknownOption, message: "option \(position) of the query is unknown; \(scheme.name) URLs have: \(known)")
            }
            guard names.insert(name).inserted else {
                throw ServiceURLError(code: .repeatedOption, message: "option '\(name)' of the query is given twice")
            }
            options.append(ServiceURL.Option(name: name, value: value))
        }
        return options
    }

    private static func decode(_ bytes: Bytes, of part: Part) throws(ServiceURLError) -> String {
        if part == .path || part == .query, bytes.contains(UInt8(ascii: "@")) {
            throw ServiceURLError(
                code: .invalidCharacter,
                message: "an '@' in the \(part.rawValue) must be written %40 (or a '/' or '?' in the password must be written %2F or %3F)")
        }
        switch PercentEncoding.decode(bytes, plusIsSpace: part == .query) {
        case .success(let text) where text.utf8.contains(0):
            throw ServiceURLError(code: .invalidCharacter, message: "the \(part.rawValue) contains a NUL character")
        case .success(let text):
            return text
        case .failure(.malformed):
            throw ServiceURLError(
                code: .invalidPercentEncoding, message: "a '%' in the \(part.rawValue) is not followed by two hexadecimal digits")
        case .failure(.notUTF8):
            throw ServiceURLError(code: .invalidPercentEncoding, message: "the \(part.rawValue) does not decode to UTF-8")
        }
    }

    /// What precedes the first separator, and what follows it (`nil` without a separator).
    private static func split(_ bytes: Bytes, atFirst separator: Unicode.Scalar) -> (Bytes, Bytes?) {
        guard let index = bytes.firstIndex(of: UInt8(ascii: separator)) else { return (bytes, nil) }
        return (bytes[..<index], bytes[bytes.index(after: index)...])
    }
}

extension ServiceURL.Scheme {
    var defaultHosts: [ServiceURL.Host] {
        self.defaultHost.map { [ServiceURL.Host(name: $0, port: self.defaultPort)] } ?? []
    }
}
