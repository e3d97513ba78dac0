/// Runs two sides in turn, so that what the machine does meanwhile meets both.
///
/// The first round of each warms up and is not counted.
public func interleaved(
    rounds: Int, ours: () async throws -> Double, theirs: () async throws -> Double
) async throws -> [(ours: Double, theirs: Double)] {
    var results: [(ours: Double, theirs: Double)] = []
    for round in 0...rounds {
        let pair = (ours: try await ours(), theirs: try await theirs())
        if round > 0 { results.append(pair) }
    }
    return results
}
