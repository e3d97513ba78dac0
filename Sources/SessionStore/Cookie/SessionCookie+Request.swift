extension SessionCookie {
    /// What a request's `Cookie` headers say about the session.
    public enum Presented: Hashable, Sendable {
        /// No cookie of this name, or none that could be an id: no session, and no storage is asked.
        case nothing
        /// One id.
        case id(SessionID)
        /// More than one id under this name: no session.
        case ambiguous
    }

    /// `Cookie` headers of more than this many bytes together are not searched.
    public static let maximumHeaderSize = 16_384

    /// Finds the session's id in the values of a request's `Cookie` headers (RFC 6265 §4.2; HTTP/2 may send several).
    ///
    /// - The headers are cut at every `;`, also inside quotes, which have no meaning there; spaces and tabs around a pair are dropped.
    /// - The name is compared exactly, case included. Other cookies, well-formed or not, do not matter: they are other programs' affair.
    /// - The value must be an id to the letter (``SessionID/init(_:)``). One pair of double quotes around it, which the RFC's grammar
    ///   allows and some clients add, is taken off. Nothing is percent-decoded.
    /// - A value that cannot be an id is passed over. When **two different ids** remain, neither wins: the order of cookies means nothing
    ///   (RFC 6265 §4.2.2), and one of the two was planted, by a sibling domain or over plain HTTP, to move the user into somebody else's
    ///   session. The same id twice is one.
    /// - More than ``maximumHeaderSize`` bytes in all: nothing.
    public func presented(in headers: some Sequence<String>) -> Presented {
        var size = 0
        var found: SessionID?
        for header in headers {
            size += header.utf8.count
            guard size <= Self.maximumHeaderSize else { return .nothing }
            for pair in header.utf8.split(separator: UInt8(ascii: ";")) {
                guard let id = self.id(in: pair) else { continue }
                guard found == nil || found == id else { return .ambiguous }
                found = id
            }
        }
        return found.map { .id($0) } ?? .nothing
    }

    private func id(in pair: Substring.UTF8View) -> SessionID? {
        guard let equals = pair.firstIndex(of: UInt8(ascii: "=")), Self.trim(pair[..<equals]).elementsEqual(self.name.utf8)
        else { return nil }
        var value = Self.trim(pair[pair.index(after: equals)...])
        let quote = UInt8(ascii: "\"")
        if value.count >= 2, value.first == quote, value.last == quote {
            value = value.dropFirst().dropLast()
        }
        return SessionID(Substring(value))
    }

    private static func trim(_ text: Substring.UTF8View) -> Substring.UTF8View {
        func isBlank(_ byte: UInt8) -> Bool { byte == UInt8(ascii: " ") || byte == UInt8(ascii: "\t") }
        var text = text.drop(while: isBlank)
        while let last = text.last, isBlank(last) {
            text = text.dropLast()
        }
        return text
    }
}
