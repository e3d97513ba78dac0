import NIOCore
import ScaleCore
import Testing

@testable import ScaleRedis

/// What commands and subscriptions have in common: the way to a connection.
@Suite struct ConnectionOpeningTests {
    static let start = Instant(nanoseconds: 0)

    static func opening(_ change: (inout ConnectionSettings) -> Void = { _ in }) -> ConnectionOpening {
        var settings = ConnectionSettings()
        settings.connectTimeout = .seconds(5)
        change(&settings)
        return ConnectionOpening(settings: settings)
    }

    /// An opening whose greeting is written.
    static func greeting(_ change: (inout ConnectionSettings) -> Void = { _ in }) -> ConnectionOpening {
        var opening = Self.opening(change)
        let epoch = opening.begin()
        _ = opening.restEnded(epoch: epoch, at: Self.start)
        _ = opening.connected(epoch: epoch)
        return opening
    }

    @Test func `an attempt goes from a rest over connecting and greeting to use`() {
        var opening = Self.opening { $0.greeting.database = 3 }
        let epoch = opening.begin()
        #expect(!opening.isConnecting)
        let isWanted = opening.restEnded(epoch: epoch, at: Self.start)
        #expect(isWanted)
        #expect(opening.isConnecting)
        let greeting = opening.connected(epoch: epoch)
        #expect(greeting != nil)
        guard case .unfinished = opening.greeted(.status("OK")) else { return #expect(Bool(false), "it was open after the first reply") }
        guard case .open(let deadline) = opening.greeted(.status("PONG")) else { return #expect(Bool(false), "it was not open") }
        #expect(deadline == Self.start.advanced(by: .seconds(5)))
        #expect(!opening.isConnecting)
        #expect(opening.epoch == epoch)
    }

    @Test func `events of an older attempt, and events that come twice, change nothing`() {
        var opening = Self.opening()
        let old = opening.begin()
        let new = opening.begin()
        let answers = [
            opening.restEnded(epoch: old, at: Self.start),
            opening.connected(epoch: new) != nil,
            opening.restEnded(epoch: new, at: Self.start),
            opening.restEnded(epoch: new, at: Self.start),
            opening.connected(epoch: old) != nil,
            opening.connected(epoch: new) != nil,
            opening.connected(epoch: new) != nil,
        ]
        #expect(answers == [false, false, true, false, false, true, false])
        opening.end()
        let late = opening.connected(epoch: new)
        #expect(late == nil)
        guard case .unfinished = opening.greeted(.status("PONG")) else { return #expect(Bool(false), "a reply after the end") }
    }

    @Test func `an attempt may take as long as the time-out, connecting and greeting together`() {
        var opening = Self.opening()
        let epoch = opening.begin()
        // A rest may be long.
        #expect(opening.expiry(at: .distantFuture) == nil)
        _ = opening.restEnded(epoch: epoch, at: Self.start)
        #expect(opening.expiry(at: Instant(nanoseconds: 4_999_999_999)) == nil)
        _ = opening.connected(epoch: epoch)
        #expect(opening.expiry(at: Instant(nanoseconds: 4_999_999_999)) == nil)
        #expect(opening.expiry(at: Instant(nanoseconds: 5_000_000_000))?.code == .connectionFailed)
        _ = opening.greeted(.status("PONG"))
        #expect(opening.expiry(at: .distantFuture) == nil)
    }

    @Test func `failures lengthen the rest, and a success shortens it again`() {
        var opening = Self.opening()
        var random = LongestRest()
        for rest in [50, 100, 200, 400, 800, 1600, 2000, 2000] {
            opening.failed(RedisError(code: .connectionFailed, message: "refused"))
            #expect(opening.rest(using: &random) == .milliseconds(rest))
        }
        #expect(opening.lastReason == "; the last attempt failed: refused")
        opening.succeeded()
        #expect(opening.lastReason.isEmpty)
        opening.failed(RedisError(code: .connectionFailed, message: "refused"))
        #expect(opening.rest(using: &random) == .milliseconds(50))
    }

    @Test func `a refusal and a failure in the greeting are told apart`() {
        var refused = Self.greeting()
        guard case .refused(let refusal) = refused.greeted(.error(RedisServerError("NOAUTH Authentication required."))) else {
            return #expect(Bool(false), "it was not refused")
        }
        #expect(refusal.code == .authenticationFailed)
        var failed = Self.greeting()
        guard case .failed(let failure) = failed.greeted(.error(RedisServerError("LOADING Redis is loading the dataset in memory"))) else {
            return #expect(Bool(false), "it did not fail")
        }
        #expect(failure.code == .connectionFailed)
    }
}
