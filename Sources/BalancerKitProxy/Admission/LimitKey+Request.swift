import Crypto
import ScaleCore

extension LimitKey {
    /// The key of a request. Parts are joined by a zero byte, which no part holds, so that no two sets of parts make one key; a key
    /// whose parts are all empty is empty.
    func text(
        of head: RequestHead, _ bytes: UnsafeRawBufferPointer, from client: ClientAddress, _ filter: RequestFilter
    ) -> String {
        let texts = self.parts.map { Self.text($0, head, bytes, client, filter) }
        if let only = texts.first, texts.count == 1 { return only }
        return texts.allSatisfy(\.isEmpty) ? "" : texts.joined(separator: "\0")
    }

    /// A key as a zone remembers it. One that a client has made long is replaced by its hash: a zone holds tens of thousands of them, long
    /// after the requests are over.
    static func remembered(_ key: String) -> String {
        guard key.utf8.count > 128 else { return key }
        return "\0" + Base64URL.encode(SHA256.hash(data: Array(key.utf8)))
    }

    private static func text(
        _ part: Part, _ head: RequestHead, _ bytes: UnsafeRawBufferPointer, _ client: ClientAddress, _ filter: RequestFilter
    ) -> String {
        switch part.base {
        case .clientAddress: return filter.clientAddress(head, bytes, from: client)
        case .host: return head.authority.map { String(decoding: bytes[$0.name].lazy.map(ByteClass.lowercased), as: UTF8.self) } ?? ""
        case .path:
            guard let target = head.target, !target.lacksPath else { return "/" }
            return String(decoding: NormalizedPath.of(bytes, target.path), as: UTF8.self)
        case .method: return String(decoding: bytes[head.methodName], as: UTF8.self)
        case .header(let name): return head.fields.first(name, bytes).map { String(decoding: bytes[$0], as: UTF8.self) } ?? ""
        case .text(let text): return text
        }
    }
}

extension FieldSection {
    /// The value of the first field of this name, compared without case.
    func first(_ name: String, _ bytes: UnsafeRawBufferPointer) -> Range<Int>? {
        self.fields.first { field in
            field.name.count == name.utf8.count
                && bytes[field.name].lazy.map(ByteClass.lowercased).elementsEqual(name.utf8.lazy.map(ByteClass.lowercased))
        }?.value
    }
}
