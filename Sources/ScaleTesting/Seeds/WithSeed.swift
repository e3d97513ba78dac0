#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#elseif canImport(Darwin)
import Darwin
#endif

/// Runs a random test with a new seed, or with the one set in `SCALEKIT_SEED`; prints the seed before it starts, so that even a crash
/// or a hang can be replayed.
///
/// - Throws: ``TestFailure`` that names the seed and what `body` threw; `CancellationError` as it is.
public func withSeed<Result>(
    file: String = #fileID, line: Int = #line, _ body: (inout SeededGenerator) async throws -> Result
) async throws -> Result {
    try await withSeed(Seed.fromEnvironment(file: file, line: line) ?? .random(), file: file, line: line, body)
}

/// Runs a random test with `count` new seeds, one after the other until one fails, or with the one set in `SCALEKIT_SEED` alone.
///
/// - Throws: ``TestFailure`` that names the seed and what `body` threw; `CancellationError` as it is.
public func withSeeds(
    _ count: Int, file: String = #fileID, line: Int = #line, _ body: (inout SeededGenerator) async throws -> Void
) async throws {
    if let seed = try Seed.fromEnvironment(file: file, line: line) {
        return try await withSeed(seed, file: file, line: line, body)
    }
    var seeds = Seed.random().generator()
    for _ in 0..<max(count, 0) {
        try await withSeed(Seed(seeds.next()), file: file, line: line, body)
    }
}

/// Runs a random test with `seed`, and prints the seed before it starts.
///
/// - Throws: ``TestFailure`` that names the seed and what `body` threw; `CancellationError` as it is.
public func withSeed<Result>(
    _ seed: Seed, file: String = #fileID, line: Int = #line, _ body: (inout SeededGenerator) async throws -> Result
) async throws -> Result {
    var generator = seed.generator()
    printUnbuffered("\(file):\(line): \(seed)\n")
    do {
        return try await body(&generator)
    } catch let error as CancellationError {
        throw error
    } catch {
        throw TestFailure("with \(seed): \(error)", file: file, line: line)
    }
}

/// Standard output is buffered when it is a pipe, and a crash loses the buffer with the seed in it.
private func printUnbuffered(_ line: String) {
    var line = line
    line.withUTF8 { bytes in _ = write(STDERR_FILENO, bytes.baseAddress, bytes.count) }
}
