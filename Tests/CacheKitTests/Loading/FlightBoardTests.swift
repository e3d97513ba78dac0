import ScaleCore
import ScaleTesting
import Testing

@testable import CacheKit

/// Who waits for which load, as decisions.
@Suite struct FlightBoardTests {
    private let load = OwnLoad(
        key: CacheKey(namespace: "n", name: "k"), epochs: [:], mayAddTags: true, fence: nil, sequence: nil, leaseEnd: .distantFuture)

    @Test func `a load is cancelled when its last waiter leaves, and not joined any more`() throws {
        let token = try #require(LeaseToken(high: 0, low: 1))
        var board = FlightBoard()
        let first = board.open(token, load: self.load)
        let second = board.join(token) ?? 0
        #expect(board.waiterCount == 2)
        #expect(board.token(of: self.load.key) == token)
        let answers = [first, first, second, second].map { board.leave($0, of: token) }
        #expect(answers == [.none, .none, .cancelLoad, .none])
        let late = board.join(token)
        #expect(late == nil)
        #expect(board.load(token) == nil)
        #expect(board.token(of: self.load.key) == nil)
        #expect(board.count == 1)
        let told = board.end(token)
        #expect(told.isEmpty)
        #expect(board.count == 0)
    }

    @Test func `who waits at the end is told, once`() throws {
        let token = try #require(LeaseToken(high: 0, low: 1))
        var board = FlightBoard()
        let first = board.open(token, load: self.load)
        let second = board.join(token)
        board.note(sequence: 5, for: token)
        #expect(board.load(token)?.sequence == 5)
        let told = [board.end(token), board.end(token)]
        #expect(told == [[first, second ?? 0], []])
        let late = board.join(token)
        #expect(late == nil)
    }
}
