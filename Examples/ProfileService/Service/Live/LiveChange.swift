/// What instances tell each other of a change: whose profile, never what is in it.
enum LiveChange: Hashable, Sendable {
    case profile(Int64)
    /// More than is worth naming, or what nobody knows: who listens reads anew.
    case anything

    /// The message on the wire.
    var text: String {
        switch self {
        case .profile(let id): "\(id)"
        case .anything: "*"
        }
    }

    /// Nil for anything else: whoever reaches the server can publish there.
    init?(_ payload: [UInt8]) {
        // The longest id has 19 digits.
        guard payload.count <= 19, let text = String(validating: payload, as: UTF8.self) else { return nil }
        if text == "*" {
            self = .anything
        } else if let id = try? PathID.parse(text[...]) {
            self = .profile(id)
        } else {
            return nil
        }
    }
}
