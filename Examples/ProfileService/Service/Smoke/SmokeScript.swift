/// One step of the scenario, before it is played.
struct SmokeScript: Sendable {
    var name: String
    /// What it shows at work.
    var kit: String
    /// Throws what went wrong; says what was seen, in words and figures.
    var body: @Sendable () async throws -> (detail: String, figures: [String: Double])
}
