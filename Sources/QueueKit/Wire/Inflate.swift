/// Takes apart what zlib has compressed (RFC 1950 around RFC 1951), whole and in memory.
///
/// The table-free decoder of M. Adler's `puff`: a code is followed bit by bit through the counts of its lengths. That is slower than zlib's
/// tables, and a few lines that need no library. Time is linear in the output, which is bounded.
struct Inflate {
    enum Failure: Error, Hashable {
        /// It is no zlib stream, or a broken one.
        case malformed
        case tooLarge
    }

    private let input: [UInt8]
    private let limit: Int
    private var position: Int
    private var bits: UInt32 = 0
    private var bitCount: UInt32 = 0
    private var output: [UInt8] = []

    private init(_ input: [UInt8], from start: Int, limit: Int) {
        self.input = input
        self.position = start
        self.limit = limit
    }

    /// The contents of a zlib stream, with nothing behind it.
    ///
    /// - Parameter limit: of the output, in bytes. No more memory than that is taken, and its growth.
    static func zlib(_ input: [UInt8], limit: Int) throws(Failure) -> [UInt8] {
        // Deflate within a window of at most 32 KiB, a header that is a multiple of 31, and no dictionary of somebody's own.
        guard input.count >= 6, input[0] & 0x0F == 8, input[0] >> 4 <= 7, (Int(input[0]) << 8 | Int(input[1])).isMultiple(of: 31),
            input[1] & 0x20 == 0
        else { throw .malformed }
        var inflate = Inflate(input, from: 2, limit: max(limit, 0))
        try inflate.run()
        guard inflate.position == input.count - 4 else { throw .malformed }
        let sum = input.suffix(4).reduce(UInt32(0)) { $0 << 8 | UInt32($1) }
        guard Self.adler32(inflate.output) == sum else { throw .malformed }
        return inflate.output
    }

    private static func adler32(_ bytes: [UInt8]) -> UInt32 {
        var (low, high): (UInt32, UInt32) = (1, 0)
        // As many additions as 32 bits hold before the remainder must be taken.
        for start in stride(from: 0, to: bytes.count, by: 5552) {
            for byte in bytes[start..<min(start + 5552, bytes.count)] {
                low += UInt32(byte)
                high += low
            }
            low %= 65_521
            high %= 65_521
        }
        return high << 16 | low
    }

    // MARK: Blocks

    private mutating func run() throws(Failure) {
        while true {
            let isLast = try self.take(1) == 1
            switch try self.take(2) {
            case 0: try self.takeStored()
            case 1: try self.takeCompressed(Self.fixedLiterals, Self.fixedDistances)
            case 2:
                let (literals, distances) = try self.takeCodes()
                try self.takeCompressed(literals, distances)
            default: throw .malformed
            }
            if isLast { return }
        }
    }

    /// The next bits, the first one lowest. At most 16.
    private mutating func take(_ count: UInt32) throws(Failure) -> Int {
        while self.bitCount < count {
            guard self.position < self.input.count else { throw .malformed }
            self.bits |= UInt32(self.input[self.position]) << self.bitCount
            self.bitCount += 8
            self.position += 1
        }
        let value = self.bits & ((1 << count) - 1)
        self.bits >>= count
        self.bitCount -= count
        return Int(value)
    }

    /// Bytes as they are, behind the end of this byte: a length, and its complement.
    private mutating func takeStored() throws(Failure) {
        self.bits = 0
        self.bitCount = 0
        guard self.input.count - self.position >= 4 else { throw .malformed }
        let length = Int(self.input[self.position]) | Int(self.input[self.position + 1]) << 8
        let complement = Int(self.input[self.position + 2]) | Int(self.input[self.position + 3]) << 8
        self.position += 4
        guard length == ~complement & 0xFFFF, self.input.count - self.position >= length else { throw .malformed }
        guard length <= self.limit - self.output.count else { throw .tooLarge }
        self.output.append(contentsOf: self.input[self.position..<(self.position + length)])
        self.position += length
    }

    private mutating func takeCompressed(_ literals: Code, _ distances: Code) throws(Failure) {
        while true {
            let symbol = try self.take(literals)
            if symbol == 256 { return }
            if symbol < 256 {
                guard self.output.count < self.limit else { throw .tooLarge }
                self.output.append(UInt8(symbol))
                continue
            }
            guard symbol - 257 < Self.lengths.count else { throw .malformed }
            let (length, extra) = Self.lengths[symbol - 257]
            let count = length + (try self.take(extra))
            let far = try self.take(distances)
            guard far < Self.distances.count else { throw .malformed }
            let distance = Self.distances[far].base + (try self.take(Self.distances[far].extra))
            guard distance <= self.output.count else { throw .malformed }
            guard count <= self.limit - self.output.count else { throw .tooLarge }
            // What is copied may be what this very copy has written.
            for _ in 0..<count { self.output.append(self.output[self.output.count - distance]) }
        }
    }

    /// Length codes 257…285 and distance codes 0…29: where each begins, and how many bits are added (RFC 1951 §3.2.5).
    private static let lengths: [(base: Int, extra: UInt32)] = [
        (3, 0), (4, 0), (5, 0), (6, 0), (7, 0), (8, 0), (9, 0), (10, 0), (11, 1), (13, 1), (15, 1), (17, 1), (19, 2), (23, 2), (27, 2),
        (31, 2), (35, 3), (43, 3), (51, 3), (59, 3), (67, 4), (83, 4), (99, 4), (115, 4), (131, 5), (163, 5), (195, 5), (227, 5), (258, 0),
    ]
    private static let distances: [(base: Int, extra: UInt32)] = (0..<30).map { code in
        guard code >= 4 else { return (code + 1, 0) }
        let extra = code / 2 - 1
        return ((2 + code % 2) << extra + 1, UInt32(extra))
    }

    // MARK: Codes

    /// A canonical Huffman code: how many codes have each length, and the symbols in the order of their codes.
    private struct Code {
        var counts = [Int](repeating: 0, count: 16)
        var symbols: [Int]

        /// - Parameter isPartial: whether a code may be there that nothing is written with.
        init(_ lengths: some Collection<Int>, isPartial: Bool) throws(Failure) {
            for length in lengths { self.counts[length] += 1 }
            self.counts[0] = 0
            var left = 1
            for length in 1...15 {
                left = left << 1 - self.counts[length]
                guard left >= 0 else { throw .malformed }
            }
            // A code of one symbol, or of none, is complete in its way.
            guard left == 0 || isPartial && self.counts.reduce(0, +) <= 1 else { throw .malformed }
            var offsets = [Int](repeating: 0, count: 17)
            for length in 1...15 { offsets[length + 1] = offsets[length] + self.counts[length] }
            self.symbols = Array(repeating: 0, count: offsets[16])
            for (symbol, length) in lengths.enumerated() where length != 0 {
                self.symbols[offsets[length]] = symbol
                offsets[length] += 1
            }
        }

        /// One of fixed lengths (RFC 1951 §3.2.6); the last two distances stand for nothing.
        init(fixed lengths: [Int]) {
            self.symbols = []
            for length in 1...15 {
                let symbols = lengths.indices.filter { lengths[$0] == length }
                self.counts[length] = symbols.count
                self.symbols += symbols
            }
        }
    }

    private static let fixedLiterals = Code(
        fixed: Array(repeating: 8, count: 144) + Array(repeating: 9, count: 112) + Array(repeating: 7, count: 24)
            + Array(repeating: 8, count: 8))
    private static let fixedDistances = Code(fixed: Array(repeating: 5, count: 32))

    private mutating func take(_ code: Code) throws(Failure) -> Int {
        var (word, first, index) = (0, 0, 0)
        for length in 1...15 {
            word |= try self.take(1)
            let count = code.counts[length]
            if word - count < first { return code.symbols[index + word - first] }
            index += count
            first = (first + count) << 1
            word <<= 1
        }
        throw .malformed
    }

    /// The codes of a block that brings its own (RFC 1951 §3.2.7).
    private mutating func takeCodes() throws(Failure) -> (literals: Code, distances: Code) {
        let literalCount = try self.take(5) + 257
        let distanceCount = try self.take(5) + 1
        let lengthCount = try self.take(4) + 4
        guard literalCount <= 286, distanceCount <= 30 else { throw .malformed }
        var ofLengths = [Int](repeating: 0, count: 19)
        for place in [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15].prefix(lengthCount) {
            ofLengths[place] = try self.take(3)
        }
        let code = try Code(ofLengths, isPartial: false)
        var lengths: [Int] = []
        while lengths.count < literalCount + distanceCount {
            let (value, count): (Int, Int)
            switch try self.take(code) {
            case let length where length < 16: (value, count) = (length, 1)
            case 16:
                guard let last = lengths.last else { throw .malformed }
                (value, count) = (last, try self.take(2) + 3)
            case 17: (value, count) = (0, try self.take(3) + 3)
            default: (value, count) = (0, try self.take(7) + 11)
            }
            guard lengths.count + count <= literalCount + distanceCount else { throw .malformed }
            lengths += Array(repeating: value, count: count)
        }
        // Without an end a block would not end.
        guard lengths[256] != 0 else { throw .malformed }
        return (try Code(lengths[..<literalCount], isPartial: true), try Code(lengths[literalCount...], isPartial: true))
    }
}
