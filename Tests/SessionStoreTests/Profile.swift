/// The payload of these tests.
struct Profile: Codable, Hashable, Sendable {
    var user: String
    var visits = 0
    var tags: [String] = []
}
