/// What everybody may see of a user. Its id is the user's id.
public struct Profile: Codable, Equatable, Sendable {
    public var id: Int64
    public var name: String
    public var email: String
    public var bio: String
}

/// What login needs of a user.
struct Account: Sendable {
    var id: Int64
    var name: String
    var passwordHash: PasswordHash
}
