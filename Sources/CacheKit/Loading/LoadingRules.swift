/// The rules of joining and storing, each of which can be switched off, so that the simulation can show that its checker misses it.
struct LoadingRules: Sendable {
    /// A caller joins a load of this node only if its own read shows that load's token in the store.
    var joinsOnEvidence = true
    /// A caller joins only if the epochs it read are those that the load captured.
    var comparesEpochsToJoin = true
    /// Tags that the loader adds are stamped only if the namespace's sequence has not moved since before the load.
    var comparesSequence = true
    /// The epochs stamped are those read before the loader ran.
    var stampsEarlyEpochs = true
    /// A fenced read joins no load but one that was opened by a read with the same fence.
    var fencedReadsWait = true
    /// Waiting for others ends when a load could not be stored any more.
    var boundsWaiting = true

    init() {}
}
