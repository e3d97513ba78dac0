import BalancerKitProxy

extension ConfigurationMapping {
    /// What holds in a server, whether it stands there or around it.
    mutating func responses(ofServer block: Int, _ place: LocationPlace) throws(NginxError) -> ResponseSettings {
        var settings = ResponseSettings()
        settings.fields = try self.fields(self.scope.inherited("add_header", in: block), place)
        settings.expiry = try self.expiry(self.scope.inherited("expires", in: block))
        settings.log = try self.log(self.scope.inherited("access_log", in: block))
        return settings
    }

    /// What stands in a location itself; the rest it has from around it.
    mutating func responses(ofLocation block: Int, _ place: LocationPlace) throws(NginxError) -> ResponseSettings {
        var settings = ResponseSettings()
        settings.fields = try self.fields(self.scope.own("add_header", in: block).map(self.scope.node), place)
        settings.expiry = try self.expiry(self.scope.own("expires", in: block).map(self.scope.node))
        settings.log = try self.log(self.scope.own("access_log", in: block).map(self.scope.node))
        return settings
    }

    // MARK: Fields

    /// Nil where there are no statements. What is never sent is left out; that it was there counts nonetheless.
    private func fields(_ nodes: [NginxSyntaxTree.Node], _ place: LocationPlace) throws(NginxError) -> [ResponseField]? {
        guard !nodes.isEmpty else { return nil }
        var fields: [ResponseField] = []
        for node in nodes {
            let field = try self.field(node, place)
            if field.replaces || !field.value.description.isEmpty { fields.append(field) }
        }
        return fields
    }

    private func field(_ node: NginxSyntaxTree.Node, _ place: LocationPlace) throws(NginxError) -> ResponseField {
        let (name, value) = (node.words[1].text, node.words[2])
        let isToken = !name.isEmpty && name.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7F && !"\"(),/:;<=>?@[\\]{}".utf8.contains($0) }
        guard isToken else { throw .invalid("\"add_header\" with what is no field's name", node) }
        guard !ResponseField.ownNames.contains(name.lowercased()) else {
            throw .unsupported(
                "\"add_header \(name)\" is not supported by the embedded proxy, which frames responses itself", at: node.place)
        }
        // They would end the line, and what follows would be a field of its own, or the body.
        guard !value.bytes.contains(where: { $0 < 0x20 && $0 != .tab || $0 == 0x7F }) else {
            throw .invalid("\"add_header \(name)\" with a control character in its value", node)
        }
        guard Array(value.text.utf8) == value.bytes else {
            throw .unsupported(
                "\"add_header \(name)\" with a value that is not UTF-8 is not supported by the embedded proxy", at: node.place)
        }
        return ResponseField(name: name, value: try self.template(value.text, node, place), isAlways: node.words.count == 4)
    }

    // MARK: Expires

    private mutating func expiry(_ nodes: [NginxSyntaxTree.Node]) throws(NginxError) -> ResponseExpiry? {
        guard let node = nodes.last else { return nil }
        switch try ExpiryArguments(node).time {
        case .off: return .off
        case .epoch: return .epoch
        case .max: return .max
        case .after(let seconds): return .after(try Self.time(seconds, node))
        case .afterModification(let seconds): return .afterModification(try Self.time(seconds, node))
        case .daily(let seconds): return .atTimeOfDay(.seconds(seconds))
        case .variable:
            self.report.hasNoEffect(node, "a time that a variable says")
            return .off
        }
    }

    private static func time(_ seconds: Int, _ node: NginxSyntaxTree.Node) throws(NginxError) -> Duration {
        guard seconds.magnitude <= ResponseExpiry.longestSeconds.magnitude else {
            throw .unsupported("the embedded proxy takes a time of at most 1000 years in \"expires\"", at: node.place)
        }
        return .seconds(seconds)
    }

    // MARK: Access log

    /// Where nothing that is said can be followed, requests are noted in the process's log, as without a word.
    private mutating func log(_ nodes: [NginxSyntaxTree.Node]) throws(NginxError) -> AccessLogging? {
        guard !nodes.isEmpty else { return nil }
        var files: [String] = []
        var isOff = false
        for node in nodes {
            let arguments = try AccessLogArguments(node)
            guard let file = arguments.file else {
                isOff = true
                continue
            }
            if let path = try self.logFile(file, arguments, node), !files.contains(path) { files.append(path) }
        }
        // Among several, `off` puts an end to all.
        return isOff ? .off : files.isEmpty ? .logger : .files(files)
    }

    private mutating func logFile(
        _ file: NginxWord, _ arguments: AccessLogArguments, _ node: NginxSyntaxTree.Node
    ) throws(NginxError) -> String? {
        guard arguments.format == "combined" else {
            self.report.hasNoEffect(node, "no other format than \"combined\" is written")
            return nil
        }
        guard !file.text.hasPrefix("syslog:") else {
            self.report.hasNoEffect(node, "syslog is not spoken to")
            return nil
        }
        if let unfollowed = arguments.parameters.first(where: { $0.hasPrefix("if=") || $0.hasPrefix("gzip") }) {
            self.report.hasNoEffect(node, "the parameter \"\(unfollowed)\" is not followed, and without it another file would come of it")
            return nil
        }
        guard !file.bytes.contains(.dollar) else {
            self.report.hasNoEffect(node, "a file that variables name")
            return nil
        }
        guard !file.bytes.isEmpty, !file.bytes.contains(0), Array(file.text.utf8) == file.bytes else {
            throw .invalid("\"access_log\" with what is no file's name", node)
        }
        let path = ConfigurationFile.path(file.text, below: self.prefix)
        for parameter in arguments.parameters {
            self.report.hasNoEffect(node, "the parameter \"\(parameter)\": lines are written as they come")
        }
        return path
    }

    /// What another server than the default one says. What it does not say it must not have from that one.
    static func responses(_ own: ResponseSettings, besides usual: ResponseSettings) -> ResponseSettings {
        var settings = own
        if usual.fields != nil { settings.fields = own.fields ?? [] }
        if usual.expiry != nil { settings.expiry = own.expiry ?? .off }
        if usual.log != nil { settings.log = own.log ?? .logger }
        return settings
    }
}
