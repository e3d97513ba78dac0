/// An e-mail address as this service takes it: one `@`, no space, no control character.
struct EmailAddress: Equatable, Sendable {
    /// As the user wrote it.
    let address: String
    /// The form in which two addresses of different case are the same.
    let key: String

    /// Nil when `text` is no address.
    init?(_ text: String) {
        guard text.unicodeScalars.count(where: { $0 == "@" }) == 1,
            !text.unicodeScalars.contains(where: { $0.properties.isWhitespace || $0.properties.generalCategory == .control })
        else { return nil }
        self.address = text
        self.key = text.lowercased()
    }
}
