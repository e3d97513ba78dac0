import ScaleCore
import ScaleTesting
import Testing

struct RandomSourceTests {
    @Test func `copies of a seeded source draw from one sequence`() {
        var expected = SeededGenerator(seed: 7)
        let source = RandomSource(SeededGenerator(seed: 7))
        let copy = source
        #expect([source.next(), copy.next(), source.next()] == [expected.next(), expected.next(), expected.next()])
    }

    @Test func `a source serves as a generator`() {
        var source = RandomSource(SeededGenerator(seed: 7))
        var generator = SeededGenerator(seed: 7)
        #expect(Int.random(in: 0..<1000, using: &source) == Int.random(in: 0..<1000, using: &generator))
    }

    @Test(arguments: [-1, 0, 1, 7, 8, 9, 16, 33])
    func `there are as many bytes as asked for`(count: Int) {
        #expect(RandomSource.system.bytes(count).count == max(count, 0))
    }

    @Test func `ids have their length and do not repeat`() {
        let ids = (0..<1_000).map { _ in RandomSource.system.id256() }
        #expect(ids.allSatisfy { $0.count == 32 })
        #expect(Set(ids).count == 1_000)
    }

    @Test func `every bit of an id is set about half of the time`() async throws {
        try await withSeed { generator in
            let source = RandomSource(generator)
            var counts = [Int](repeating: 0, count: 256)
            for _ in 0..<2_000 {
                for (index, byte) in source.id256().enumerated() {
                    for bit in 0..<8 where byte & (1 << bit) != 0 { counts[index * 8 + bit] += 1 }
                }
            }
            // Nine standard deviations from 1000.
            try expect(counts.allSatisfy { (800...1200).contains($0) })
        }
    }

    @Test func `a UUID is version 4, variant 10, in lower case`() throws {
        for _ in 0..<100 {
            let uuid = RandomSource.system.uuid()
            #expect(uuid.wholeMatch(of: /[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}/) != nil)
        }
    }
}
