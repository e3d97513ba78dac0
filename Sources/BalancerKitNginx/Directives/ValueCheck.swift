/// Judges the arguments of one statement by its rule, in nginx's words.
struct ValueCheck {
    private let statement: NginxSyntaxTree.Node
    private var name: String { self.statement.name }

    init(_ statement: NginxSyntaxTree.Node) {
        self.statement = statement
    }

    func check(_ rule: DirectiveRule) throws(NginxError) {
        guard let argument = self.statement.arguments.first else { return }
        switch rule.value {
        case .any: try self.checkParticulars(rule)
        case .flag: try self.checkFlag(argument)
        case .number:
            guard NginxQuantity.number(argument.bytes) != nil else { throw self.error("\"\(self.name)\" directive invalid number") }
        case .size: try self.require(NginxQuantity.size(argument.bytes, allowsGiga: false))
        case .offset: try self.require(NginxQuantity.size(argument.bytes, allowsGiga: true))
        case .seconds: try self.require(NginxQuantity.time(argument.bytes, in: .seconds))
        case .milliseconds: try self.require(NginxQuantity.time(argument.bytes, in: .milliseconds))
        case .one(let words), .some(let words):
            for argument in self.statement.arguments where !words.contains(where: { $0.lowercased() == argument.text.lowercased() }) {
                throw self.error(Self.invalidValue(argument))
            }
        }
    }

    private func checkFlag(_ argument: NginxWord) throws(NginxError) {
        guard NginxQuantity.flag(argument.bytes) != nil else {
            throw self.error("\(Self.invalidValue(argument)) in \"\(self.name)\" directive, it must be \"on\" or \"off\"")
        }
    }

    private func require(_ value: Int?) throws(NginxError) {
        guard value != nil else { throw self.error("\"\(self.name)\" directive invalid value") }
    }

    private static func invalidValue(_ word: NginxWord) -> String { "invalid value \"\(word.text)\"" }

    private func error(_ message: String) -> NginxError {
        NginxError(code: .invalidValue, message: message, place: self.statement.place)
    }
}

// MARK: - Directives with rules of their own

extension ValueCheck {
    private func checkParticulars(_ rule: DirectiveRule) throws(NginxError) {
        switch rule.name {
        case "worker_processes": try self.checkWorkers()
        case "keepalive_timeout":
            for argument in self.statement.arguments { try self.require(NginxQuantity.time(argument.bytes, in: .milliseconds)) }
        case "large_client_header_buffers", "proxy_buffers", "gzip_buffers": try self.checkBuffers()
        case "keepalive": try self.checkKeepAlive()
        case "server" where rule.blocks == [.upstream]: _ = try UpstreamServer(self.statement)
        case "random": _ = try RandomChoice(self.statement)
        case "listen": _ = try ListenAddress(self.statement)
        case "location": _ = try LocationMatch(self.statement)
        case "proxy_pass": _ = try ProxyTarget(self.statement)
        case "limit_req_zone", "limit_conn_zone": _ = try ZoneArguments(self.statement)
        case "limit_req": _ = try RequestLimitArguments(self.statement)
        case "limit_conn": try self.checkConnections()
        case "hash": try self.checkHash()
        case "return": try self.checkReturn()
        case "server_name": try self.checkNames()
        case "proxy_set_header", "add_header":
            for argument in self.statement.arguments { _ = try VariableNames.inside(argument.bytes, at: self.statement.place) }
            try self.checkAlways()
        case "access_log": _ = try AccessLogArguments(self.statement)
        case "error_log": try self.checkLevel()
        case "expires": _ = try ExpiryArguments(self.statement)
        default: break
        }
    }

    private func checkAlways() throws(NginxError) {
        guard self.name == "add_header", self.statement.words.count == 4, self.statement.words[3].text != "always" else { return }
        throw self.error("invalid parameter \"\(self.statement.words[3].text)\"")
    }

    private func checkLevel() throws(NginxError) {
        var hasLevel = false
        for word in self.statement.words.dropFirst(2).map(\.text) where !Self.debugLevels.contains(word) {
            guard Self.levels.contains(word) else { throw self.error("invalid log level \"\(word)\"") }
            guard !hasLevel else { throw self.error("duplicate log level \"\(word)\"") }
            hasLevel = true
        }
    }

    private static let levels = ["emerg", "alert", "crit", "error", "warn", "notice", "info", "debug"]
    private static let debugLevels = ["core", "alloc", "mutex", "event", "http", "mail", "stream"].map { "debug_\($0)" }

    private func checkConnections() throws(NginxError) {
        guard self.statement.words.count == 3 else { return }
        let word = self.statement.words[2]
        guard let count = NginxQuantity.number(word.bytes), count > 0 else {
            throw self.error("invalid number of connections \"\(word.text)\"")
        }
        guard count <= 65_535 else { throw self.error("connection limit must be less 65536") }
    }

    private func checkHash() throws(NginxError) {
        if self.statement.words.count == 3, self.statement.words[2].text != "consistent" {
            throw self.error("invalid parameter \"\(self.statement.words[2].text)\"")
        }
    }

    private func checkReturn() throws(NginxError) {
        let words = Array(self.statement.arguments)
        if let status = NginxQuantity.number(words[0].bytes) {
            guard status <= 999 else { throw self.error("invalid return code \"\(words[0].text)\"") }
        } else {
            let isURL = ["http://", "https://", "$scheme"].contains { words[0].text.lowercased().hasPrefix($0) }
            guard words.count == 1, isURL else { throw self.error("invalid return code \"\(words[0].text)\"") }
        }
        for word in words { _ = try VariableNames.inside(word.bytes, at: self.statement.place) }
    }

    private func checkNames() throws(NginxError) {
        for word in self.statement.arguments {
            let name = word.text
            let isBadMask = name.hasPrefix("*") && (name.utf8.count < 3 || !name.hasPrefix("*."))
            guard !isBadMask, name != "." else { throw self.error("server name \"\(name)\" is invalid") }
            guard name != "~" else { throw self.error("empty regex in server name \"~\"") }
        }
    }

    private func checkWorkers() throws(NginxError) {
        guard let argument = self.statement.arguments.first, argument.text != "auto" else { return }
        try self.require(NginxQuantity.number(argument.bytes))
    }

    private func checkBuffers() throws(NginxError) {
        let words = Array(self.statement.arguments)
        guard words.count == 2, let count = NginxQuantity.number(words[0].bytes), count > 0,
            let size = NginxQuantity.size(words[1].bytes, allowsGiga: false), size > 0
        else { throw self.error("\"\(self.name)\" directive invalid value") }
    }

    private func checkKeepAlive() throws(NginxError) {
        guard let argument = self.statement.arguments.first, let count = NginxQuantity.number(argument.bytes), count > 0 else {
            throw self.error("\(Self.invalidValue(self.statement.words[1])) in \"keepalive\" directive")
        }
    }
}
