import BalancerKitProxy

extension ConfigurationMapping {
    /// What nginx answers with where no location fits: files of the server's root.
    mutating func serverOfFiles(_ server: MappedServer, _ place: LocationPlace) throws(NginxError) -> MappedServer {
        let node = self.scope.node(server.block)
        guard !self.scope.inherited("root", in: server.block).isEmpty else {
            guard server.routes.isEmpty else {
                self.report.differs(node, "a path that no location takes is answered with 404")
                return server
            }
            throw .unsupported("the server has no \"location\", no \"return\" and no \"root\"", at: node.place)
        }
        var server = server
        var route = ProxyRoute(prefix: "/", action: .files(try self.files(server.block, nil)))
        route.limits = try self.limits(server.block)
        server.routes.append(route)
        return server
    }

    /// `root` or `alias` with what goes with them.
    ///
    /// - Parameter match: of the location; nil for a server.
    mutating func files(_ block: Int, _ match: LocationMatch?) throws(NginxError) -> StaticFiles {
        var files: StaticFiles
        if let node = self.scope.own("alias", in: block).first.map(self.scope.node) {
            if match?.isRegularExpression == true {
                throw .unsupported(
                    "\"alias\" in a location given by a regular expression is not supported by the embedded proxy", at: node.place)
            }
            files = StaticFiles(directory: try self.directory(node), mapping: .alias)
        } else {
            guard let node = self.scope.inherited("root", in: block).last else {
                throw .unsupported(
                    "the embedded proxy has nothing to answer with: the location has no \"proxy_pass\", \"return\", \"root\" or \"alias\"",
                    at: self.scope.node(block).place)
            }
            files = StaticFiles(directory: try self.directory(node))
        }
        files.indexFiles = try self.indexFiles(block)
        files.contentTypes = self.contentTypes(block)
        files.defaultContentType = self.defaultType(block)
        files.maximumRanges = self.number("max_ranges", in: block) ?? files.maximumRanges
        files.sendsETag = self.flag("etag", in: block) ?? true
        files.symbolicLinks = try self.symbolicLinks(block, files.directory)
        switch self.scope.inherited("if_modified_since", in: block).last?.words[1].text.lowercased() {
        case "off": files.ifModifiedSince = .off
        case "before": files.ifModifiedSince = .before
        default: files.ifModifiedSince = .exact
        }
        try self.mapTries(block, to: &files)
        if self.flag("absolute_redirect", in: block) ?? true {
            self.report.differs(self.scope.node(block), "a directory is redirected to by its path, without scheme and host")
        }
        return files
    }

    private func directory(_ node: NginxSyntaxTree.Node) throws(NginxError) -> String {
        let path = node.words[1].text
        guard path.hasPrefix("/"), !path.contains("$"), !path.utf8.contains(0) else {
            throw .unsupported("\"\(node.name)\" must be an absolute path without variables for the embedded proxy", at: node.place)
        }
        return path
    }

    private func indexFiles(_ block: Int) throws(NginxError) -> [String] {
        let nodes = self.scope.inherited("index", in: block)
        guard !nodes.isEmpty else { return ["index.html"] }
        var names: [String] = []
        for node in nodes {
            for word in node.arguments.map(\.text) {
                guard !word.contains("/"), !word.contains("$"), !word.isEmpty else {
                    throw .unsupported("\"index\" must be names without slashes and variables for the embedded proxy", at: node.place)
                }
                names.append(word)
            }
        }
        return names
    }

    /// The innermost `types`, or nginx's own three.
    private func contentTypes(_ block: Int) -> [String: String] {
        var around = block
        while true {
            let blocks = self.scope.own("types", in: around)
            if !blocks.isEmpty {
                var types: [String: String] = [:]
                for statements in blocks.map(self.scope.tree.statements) {
                    self.add(statements, to: &types)
                }
                return types
            }
            guard around >= 0 else { break }
            around = self.scope.block(around: around)
        }
        return ["html": "text/html", "gif": "image/gif", "jpg": "image/jpeg"]
    }

    private func add(_ statements: [Int], to types: inout [String: String]) {
        for node in statements.map(self.scope.node) where node.name != "include" {
            for ending in node.arguments { types[ending.text.lowercased()] = node.name }
        }
    }

    private mutating func symbolicLinks(_ block: Int, _ directory: String) throws(NginxError) -> StaticFiles.SymbolicLinks {
        guard let node = self.scope.inherited("disable_symlinks", in: block).last else { return .followed }
        switch node.words[1].text {
        case "off": return .followed
        case "on" where node.words.count == 3 && ["from=\(directory)", "from=$document_root"].contains(node.words[2].text): return .refused
        case "on" where node.words.count == 2:
            self.report.differs(node, "the way to the directory itself may hold symbolic links")
            return .refused
        default: throw .unsupported("\"disable_symlinks\" is \"on\" or \"off\" for the embedded proxy", at: node.place)
        }
    }

    /// `try_files $uri [$uri/] =404;` and `try_files $uri [$uri/] /file;`
    private mutating func mapTries(_ block: Int, to files: inout StaticFiles) throws(NginxError) {
        guard let node = self.scope.inherited("try_files", in: block).last else { return }
        let words = node.arguments.map(\.text)
        guard let last = words.last, words[0] == "$uri", words.dropLast().dropFirst().allSatisfy({ $0 == "$uri/" }), words.count <= 3 else {
            throw Self.unsupportedTries(node)
        }
        if !words.contains("$uri/") {
            files.indexFiles = []
            self.report.differs(node, "a directory is answered with 403, and not looked for as a file")
        }
        if last == "=404" { return }
        guard last.hasPrefix("/"), !last.contains("$"), !last.contains("?"), last.count > 1, !last.hasSuffix("/") else {
            throw Self.unsupportedTries(node)
        }
        files.fallbackFile = last
    }

    private static func unsupportedTries(_ node: NginxSyntaxTree.Node) -> NginxError {
        .unsupported(
            "\"try_files\" is \"$uri\", perhaps \"$uri/\", and \"=404\" or a file for the embedded proxy", at: node.place)
    }
}
