#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#elseif canImport(Darwin)
import Darwin
#endif

/// What a random test begins with. It is printed, and set in the environment it plays the same test again.
public struct Seed: Hashable, Sendable {
    /// The environment variable that replays a seed: `SCALEKIT_SEED=0x0123456789abcdef swift test --filter …`.
    public static let variable = "SCALEKIT_SEED"

    public let value: UInt64

    public init(_ value: UInt64) {
        self.value = value
    }

    /// A new seed.
    public static func random() -> Seed {
        Seed(.random(in: 0...(.max)))
    }

    /// The seed set in the environment; `nil` when there is none.
    ///
    /// - Throws: ``TestFailure`` when what is set there is no seed: the test would silently not replay what it should.
    public static func fromEnvironment(file: String = #fileID, line: Int = #line) throws -> Seed? {
        guard let text = getenv(Self.variable).map({ String(cString: $0) }), !text.isEmpty else { return nil }
        guard let seed = Seed(text) else {
            throw TestFailure("\(Self.variable) is neither a 64-bit decimal nor a 0x… hexadecimal number", file: file, line: line)
        }
        return seed
    }

    /// Reads a decimal or a `0x…` hexadecimal number of 64 bits.
    public init?(_ text: String) {
        // `UInt64("+1")` is 1: a sign has to be refused apart.
        let isHexadecimal = text.hasPrefix("0x")
        let digits = isHexadecimal ? text.dropFirst(2) : text[...]
        guard digits.first != "+", let value = UInt64(digits, radix: isHexadecimal ? 16 : 10) else { return nil }
        self.value = value
    }

    /// A generator that begins with this seed.
    public func generator() -> SeededGenerator {
        SeededGenerator(seed: self.value)
    }
}

extension Seed: CustomStringConvertible {
    /// As it is set in the environment.
    public var description: String {
        let digits = String(self.value, radix: 16)
        return "\(Self.variable)=0x\(String(repeating: "0", count: 16 - digits.count))\(digits)"
    }
}
