/// What a connection tells by itself.
enum AMQPEvent: Sendable {
    case content(ContentAssembler.Content)
    /// A confirm of the server for what was published.
    case confirmed(tag: UInt64, multiple: Bool, isAccepted: Bool)
    /// The server takes no more from this connection for now.
    case blocked(reason: String)
    case unblocked
    /// The consumer's queue is gone.
    case consumerCancelled(String)
    /// The server closed the channel; it is open again, and empty.
    case channelClosed(code: Int, text: String)
    /// The last event.
    case closed(AMQPFailure)
}

/// Takes events in their order, those together that came together.
typealias AMQPEventHandler = @Sendable ([AMQPEvent]) -> Void
