import BalancerKitProxy

extension ConfigurationMapping {
    /// `return CODE [TEXT]; return CODE URL; return URL;`
    mutating func answer(_ node: NginxSyntaxTree.Node, in block: Int, _ place: LocationPlace) throws(NginxError) -> ProxyRoute.Action {
        let words = Array(node.arguments)
        guard let status = NginxQuantity.number(words[0].bytes) else {
            return try self.redirection(302, to: words[0], node, block, place)
        }
        if status == 444 { return .close }
        guard (200...599).contains(status) else {
            throw .unsupported("the embedded proxy answers with a status of 200…599, or closes with 444", at: node.place)
        }
        let isRedirection = [301, 302, 303, 307, 308].contains(status)
        guard words.count == 2 else {
            if status >= 400 { return .refuse(status: status) }
            guard !isRedirection else { throw .unsupported("a redirection without a place", at: node.place) }
            return .answer(FixedAnswer(status: status, text: try self.template("", node, place)))
        }
        if isRedirection { return try self.redirection(status, to: words[1], node, block, place) }
        var answer = FixedAnswer(status: status, text: try self.template(words[1].text, node, place))
        answer.contentType = self.defaultType(block)
        if status != 204, self.scope.inherited("types", in: block).first != nil {
            self.report.differs(node, "the answer's type is always \"\(answer.contentType)\"")
        }
        return .answer(answer)
    }

    private func redirection(
        _ status: Int, to word: NginxWord, _ node: NginxSyntaxTree.Node, _ block: Int, _ place: LocationPlace
    ) throws(NginxError) -> ProxyRoute.Action {
        var answer = FixedAnswer(redirect: status, to: try self.template(word.text, node, place))
        answer.makesLocationAbsolute = self.flag("absolute_redirect", in: block) ?? true
        return .answer(answer)
    }

    /// The type of what has none of its own.
    func defaultType(_ block: Int) -> String {
        self.scope.inherited("default_type", in: block).last?.arguments.first?.text ?? "text/plain"
    }

    func flag(_ name: String, in block: Int) -> Bool? {
        self.scope.inherited(name, in: block).last?.arguments.first.flatMap { NginxQuantity.flag($0.bytes) }
    }

    /// A text with variables: constant ones are put in, those of requests are left to them, others are refused.
    func template(
        _ text: String, _ node: NginxSyntaxTree.Node, _ place: LocationPlace, constants: [String: String] = [:]
    ) throws(NginxError) -> RequestTemplate {
        let constants = place.constants.merging(constants) { $1 }
        let template: RequestTemplate
        do {
            template = try RequestTemplate(Self.putting(constants, into: text))
        } catch {
            throw .unsupported(error.message, at: node.place)
        }
        if let unknown = template.unknownVariables(groups: place.groups).first {
            throw .unsupported("the variable \"$\(unknown)\" is not supported by the embedded proxy", at: node.place)
        }
        return template
    }

    private static func putting(_ constants: [String: String], into text: String) -> String {
        guard text.contains("$") else { return text }
        var result = ""
        var rest = text[...]
        while let dollar = rest.firstIndex(of: "$") {
            result += rest[..<dollar]
            rest = rest[rest.index(after: dollar)...]
            let isBracketed = rest.hasPrefix("{")
            let name = rest.dropFirst(isBracketed ? 1 : 0).prefix { $0.isASCII && ($0.isLetter || $0.isNumber || $0 == "_") }
            guard let value = constants[String(name)], !isBracketed || rest[name.endIndex...].hasPrefix("}") else {
                result += "$"
                continue
            }
            result += value
            rest = rest[name.endIndex...].dropFirst(isBracketed ? 1 : 0)
        }
        return result + rest
    }
}
