/// A request to switch protocols that goes on to the upstream (RFC 9110 §7.8).
struct UpgradeRequest: Equatable, Sendable {
    /// The field's value, as the client sent it.
    let protocols: [UInt8]

    /// Nil where the request asks for no upgrade, or for none that the policy passes. It must be whole and plain: HTTP/1.1, one Upgrade field that
    /// Connection nominates, and no body, behind which the two sides could disagree where the new protocol begins.
    init?(_ head: RequestHead, _ bytes: UnsafeRawBufferPointer, _ policy: UpgradePolicy) {
        guard head.isHTTP11, head.framing == .none, !head.expectsContinue, case .once(let index) = head.fields.upgrade else { return nil }
        let field = head.fields.fields[index]
        guard head.connection.nominates(bytes, field.name), !field.value.isEmpty else { return nil }
        var (count, passedCount) = (0, 0)
        ByteScan.forEachElement(bytes, field.value) { element in
            count += 1
            if policy.passes(Self.name(of: element, bytes)) { passedCount += 1 }
        }
        guard count > 0, passedCount == count else { return nil }
        self.protocols = Array(bytes[field.value])
    }

    /// Whether a response with 101 switches to what was asked for.
    func isGranted(by head: ResponseHead, _ bytes: UnsafeRawBufferPointer) -> Bool {
        guard head.isHTTP11, case .once(let index) = head.fields.upgrade else { return false }
        let field = head.fields.fields[index]
        guard head.connection.nominates(bytes, field.name) else { return false }
        let granted = Self.name(of: field.value, bytes)
        return self.protocols.withUnsafeBytes { asked in
            var isAsked = false
            ByteScan.forEachElement(asked, 0..<asked.count) { if Self.name(of: $0, asked) == granted { isAsked = true } }
            return isAsked
        }
    }

    /// The protocol's name in lower case, without its version: `websocket`, of `HTTP/2.0` only `http`.
    private static func name(of element: Range<Int>, _ bytes: UnsafeRawBufferPointer) -> [UInt8] {
        bytes[element].prefix { $0 != UInt8(ascii: "/") }.map(ByteClass.lowercased)
    }
}

extension UpgradePolicy {
    fileprivate func passes(_ name: [UInt8]) -> Bool {
        guard !name.isEmpty, !name.elementsEqual("h2c".utf8) else { return false }
        return switch self {
        case .never: false
        case .to(let names): names.contains { $0.lowercased().utf8.elementsEqual(name) }
        case .any: true
        }
    }
}
