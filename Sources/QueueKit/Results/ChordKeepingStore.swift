/// A result store that counts the parts of chords for all workers, of any language.
package protocol ChordKeepingStore: ResultStore {
    /// Notes how many parts a chord has, unless it is over. Its parts may have begun to end.
    func prepare(_ plan: ChordPlan) async throws

    /// Notes how a part has ended, once however often it is reported, and counts, in one step. Who makes the number full holds the
    /// claim to send the body, until it is over, given up or out of time.
    ///
    /// - Parameter claim: distinct for each report.
    func report(_ part: ChordPart, claim: String) async throws -> ChordReport

    /// Begins the time of a claim anew; `false` when somebody else has it now.
    func renew(_ claim: String, of group: String) async throws -> Bool

    /// The body was sent or has failed: what is known about the parts goes, and later reports of them count for nothing.
    func finish(_ group: String, claim: String) async throws

    /// Lets another one try at once.
    func giveUp(_ claim: String, of group: String) async throws
}
