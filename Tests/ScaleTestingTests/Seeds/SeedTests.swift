import ScaleTesting
import Testing

struct SeedTests {
    /// The first outputs of Vigna's `splitmix64.c`, as published with the generator's ports.
    @Test func `the generator is SplitMix64`() {
        var generator = SeededGenerator(seed: 1_234_567)
        let expected: [UInt64] = [
            6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423, 4_593_380_528_125_082_431,
            16_408_922_859_458_223_821,
        ]
        #expect((0..<5).map { _ in generator.next() } == expected)
    }

    @Test func `a split generator draws its own numbers, the same ones each time`() {
        var (first, second) = (SeededGenerator(seed: 1), SeededGenerator(seed: 1))
        var (child, sameChild) = (first.split(), second.split())
        let numbers = (0..<4).map { _ in child.next() }
        #expect(numbers == (0..<4).map { _ in sameChild.next() })
        #expect(numbers != (0..<4).map { _ in first.next() })
    }

    @Test func `what is printed of a seed is what replays it`() throws {
        let seed = Seed.random()
        let printed = "\(seed)"
        #expect(printed.hasPrefix("SCALEKIT_SEED=0x"))
        #expect(Seed(String(printed.dropFirst("SCALEKIT_SEED=".count))) == seed)
    }

    @Test(
        arguments: [("0", 0), ("18446744073709551615", .max), ("0xffffffffffffffff", .max), ("0x0", 0), ("0xFf", 255)] as [(String, UInt64)]
    )
    func `decimal and hexadecimal seeds are read`(text: String, value: UInt64) {
        #expect(Seed(text)?.value == value)
    }

    @Test(arguments: ["", "x", "-1", "+1", "18446744073709551616", "0x", "0x10000000000000000", "0xg", "0x+1", "1 ", " 1", "1.0"])
    func `what is no seed is refused`(text: String) {
        #expect(Seed(text) == nil)
    }

    @Test func `the same seed plays the same test`() async throws {
        var runs: [[UInt64]] = []
        for _ in 0..<2 {
            runs.append(try await withSeed(Seed(42)) { generator in (0..<3).map { _ in generator.next() } })
        }
        #expect(runs[0] == runs[1])
    }

    @Test func `a failure names the seed that replays it`() async throws {
        struct Boom: Error {}
        var drawn: UInt64 = 0
        let failure = try await expectThrows(TestFailure.self) {
            try await withSeeds(3) { generator in
                drawn = generator.next()
                throw Boom()
            }
        }
        #expect(failure.message.contains("Boom"))
        let text = try #require(failure.message.firstMatch(of: /SCALEKIT_SEED=(0x[0-9a-f]{16})/)?.output.1)
        var replay = try #require(Seed(String(text))).generator()
        #expect(replay.next() == drawn)
    }

    @Test func `a seed per run is used, each another`() async throws {
        var drawn: Set<UInt64> = []
        var runs = 0
        try await withSeeds(5) { generator in
            runs += 1
            drawn.insert(generator.next())
        }
        // With a seed in the environment there is one run, by design.
        #expect(drawn.count == runs)
        if try Seed.fromEnvironment() == nil { #expect(runs == 5) }
    }

    @Test func `cancellation is not dressed up as a failure`() async {
        await #expect(throws: CancellationError.self) { try await withSeed { _ in throw CancellationError() } }
    }
}
