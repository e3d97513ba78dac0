import NIOCore
import ScaleCore

/// Who owns a ``ChannelLink`` and decides for it. All of it is called on the event loop.
protocol ChannelLinkOwner: ReplyReceiver {
    /// The rest before an attempt is over. True when the attempt is to be made.
    func restEnded(epoch: UInt64) -> Bool
    /// The coarse timer. False when it may stop.
    func ticked() -> Bool
}

/// What every connection does on its event loop: rest, connect, write, tick and close. Holds no rule.
///
/// It knows its owner only while something is under way (a timer, an attempt, a channel), so that the two make no cycle.
final class ChannelLink: Sendable {
    private struct State {
        var channel: (any Channel)?
        var epoch: UInt64 = 0
        /// Done when the last channel that was given up is closed.
        var closing: EventLoopFuture<Void>?
        var timer: RepeatedTask?
    }

    let eventLoop: any EventLoop
    private let connector: ChannelConnector
    private let limits: RedisReplyLimits
    private let tickInterval: TimeAmount
    private let state: NIOLoopBoundBox<State>

    init(connector: ChannelConnector, limits: RedisReplyLimits, tickInterval: TimeAmount, eventLoop: any EventLoop) {
        self.eventLoop = eventLoop
        self.connector = connector
        self.limits = limits
        self.tickInterval = tickInterval
        self.state = .makeBoxSendingValue(State(), eventLoop: eventLoop)
    }

    var address: String { self.connector.address }

    /// Runs `work` on the event loop: at once when it is called there.
    func onLoop(_ work: @escaping @Sendable () -> Void) {
        if self.eventLoop.inEventLoop { work() } else { self.eventLoop.execute(work) }
    }

    /// Rests, asks the owner whether the attempt is still wanted, and connects. The timer runs from now on. From any thread.
    func connect(epoch: UInt64, after rest: Duration, for owner: some ChannelLinkOwner) {
        self.onLoop {
            self.startTimer(for: owner)
            guard rest > .zero else { return self.attempt(epoch: epoch, for: owner) }
            self.eventLoop.scheduleTask(in: .nanoseconds(rest.wholeNanoseconds)) { self.attempt(epoch: epoch, for: owner) }
        }
    }

    private func attempt(epoch: UInt64, for owner: some ChannelLinkOwner) {
        guard owner.restEnded(epoch: epoch) else { return }
        let limits = self.limits
        let connecting = self.connector.connect(on: self.eventLoop) { ReplyHandler(receiver: owner, epoch: epoch, limits: limits) }
        connecting.whenFailure { error in
            owner.channelFailed(RedisError(code: .connectionFailed, message: ChannelConnector.describe(error)), epoch: epoch)
        }
    }

    private func startTimer(for owner: some ChannelLinkOwner) {
        guard self.state.value.timer == nil else { return }
        self.state.value.timer = self.eventLoop.scheduleRepeatedTask(initialDelay: self.tickInterval, delay: self.tickInterval) { _ in
            if !owner.ticked() { self.stopTimer() }
        }
    }
}

// MARK: - On the event loop

extension ChannelLink {
    /// Takes a channel that has become active as the present one.
    func attach(_ channel: any Channel, epoch: UInt64) {
        self.state.value.channel = channel
        self.state.value.epoch = epoch
    }

    func write(_ bytes: ByteBuffer) {
        self.state.value.channel?.writeAndFlush(bytes, promise: nil)
    }

    /// Closes the present channel, unless it is that of `epoch`.
    func closeChannel(unless epoch: UInt64? = nil) {
        guard let channel = self.state.value.channel, self.state.value.epoch != epoch else { return }
        self.state.value.channel = nil
        self.state.value.closing = channel.closeFuture
        channel.close(promise: nil)
    }

    func stopTimer() {
        self.state.value.timer?.cancel()
        self.state.value.timer = nil
    }

    /// Done when the last channel that was given up is closed.
    var closed: EventLoopFuture<Void> {
        self.state.value.closing ?? self.eventLoop.makeSucceededVoidFuture()
    }
}
