/// A broker that has messages sent ahead for the workers of this process, and can be told that they want fewer of them. What was sent ahead
/// and nobody has goes back, for others to have; whoever asks for messages or waits for them gets them as before.
package protocol PrefetchingBroker: Broker {
    /// A worker takes no more messages from a queue.
    func leave(_ queue: String) async

    /// A worker has fewer slots than it had.
    func fetchLess() async
}
