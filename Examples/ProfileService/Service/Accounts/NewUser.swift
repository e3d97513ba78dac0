/// What `POST /users` asks for, after its rules were checked.
struct NewUser: Sendable {
    var email: EmailAddress
    var password: String
    var name: String

    init(_ fields: JSONFields) throws(InvalidFields) {
        var check = FieldCheck(fields)
        let email = check.string("email") { EmailAddress($0) == nil ? "must be an address with one @, without spaces" : nil }
        let password = check.string("password") { (8...256).contains($0.unicodeScalars.count) ? nil : "must have 8 to 256 characters" }
        let name = check.string("name", rule: ProfileChange.nameRule)
        try check.finish()
        guard let address = EmailAddress(email) else { throw InvalidFields(reasons: ["email": "must be an address"]) }
        self.email = address
        self.password = password
        self.name = name
    }
}

/// What `PUT /profiles/{id}` asks for, after its rules were checked.
struct ProfileChange: Sendable {
    var name: String
    var bio: String

    init(_ fields: JSONFields) throws(InvalidFields) {
        var check = FieldCheck(fields)
        self.name = check.string("name", rule: Self.nameRule)
        self.bio = check.string("bio") { $0.unicodeScalars.count <= 10_000 ? nil : "must have at most 10000 characters" }
        try check.finish()
    }

    static func nameRule(_ name: String) -> String? {
        guard (1...200).contains(name.unicodeScalars.count) else { return "must have 1 to 200 characters" }
        return name.unicodeScalars.allSatisfy(\.properties.isWhitespace) ? "must not be blank" : nil
    }
}

/// What `POST /login` asks for. Any password may be wrong, so its length is not checked here.
struct Credentials: Sendable {
    var email: String
    var password: String

    init(_ fields: JSONFields) throws(InvalidFields) {
        var check = FieldCheck(fields)
        self.email = check.string("email") { _ in nil }
        self.password = check.string("password") { _ in nil }
        try check.finish()
    }
}
