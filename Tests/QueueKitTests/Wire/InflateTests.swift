import Foundation
import Testing

@testable import QueueKit

/// Streams as zlib 1.3 writes them.
@Suite struct InflateTests {
    static let call = Array(#"[[2, 3], {}, {"callbacks": null, "errbacks": null, "chain": null, "chord": null}]"#.utf8)
    static let mixed = Array(String(repeating: "ab", count: 40).utf8) + Array(0...255) + Array(String(repeating: "ab", count: 200).utf8)

    static let vectors: [(name: String, stream: String, content: [UInt8])] = [
        (
            "stored",
            "eAEBUQCu/1tbMiwgM10sIHt9LCB7ImNhbGxiYWNrcyI6IG51bGwsICJlcnJiYWNrcyI6IG51bGwsICJjaGFpbiI6IG51bGwsICJjaG9yZCI6IG"
                + "51bGx9XQpsGfI=", call
        ),
        ("fixed codes", "eAGLjjbSUTCO1VGorgVipeTEnJykxOTsYiUrhbzSnBwdBaXUoiI0keSMxMw8ZG5+UQqUWxsLAApsGfI=", call),
        (
            "codes of its own",
            "eJxLTEqkKmRgZGJmYWVj5+Dk4ubh5eMXEBQSFhEVE5eQlJKWkZWTV1BUUlZRVVPX0NTS1tHV0zcwNDI2MTUzt7C0sraxtbN3cHRydnF1c/fw9P"
                + "L28fXzDwgMCg4JDQuPiIyKjomNi09ITEpOSU1Lz8jMys7JzcsvKCwqLiktK6+orKquqa2rb2hsam5pbWvv6Ozq7unt658wcdLkKVOnTZ8xc9bs"
                + "OXPnzV+wcNHiJUuXLV+xctXqNWvXrd+wcdPmLVu3bd+xc9fuPXv37T9w8NDhI0ePHT9x8tTpM2fPnb9w8dLlK1evXb9x89btO3fv3X/w8NHjJ0"
                + "+fPX/x8tXrN2/fvf/w8dPnL1+/ff/x89fvP3///aduaI5CSiEANVQ2YA==", mixed
        ),
        (
            "codes without copies",
            "eAEFwQOAEAAAwMBs27Zt27a3bBufbdu2bdu2bbvuEBEREREREREREREREREREREREREDBQ4SNFjwECFDhQ4TNlz4CBEjRY4SNVr0GDFjxY4TN1"
                + "78BAkTJU6SNFnyFClTpU6TNl36DBkzZc6SNVv2HDlz5c6TN1/+AgULFS5StFjxEiVLlS5Ttlz5ChUrVa5StVr1GjVr1a5Tt179Bg0bYeMmTZs1"
                + "b9GyVes2bdu179CxU+cuXbt179GzV+8+ffsF9B8wcNDgIUOHDR8xctToMWPHjZ8wcdLkKVOnTZ8xc9bsOXPnzV+wcNHiJUuXLV+xctXqNWvXrd"
                + "+wcdPmLVu3bd+xc9fuPXv37T9w8NDhI0ePHT9x8tTpM2fPnb9w8dLlK1evXb9x89btO3fv3X/w8NHjJ0+fPX/x8tXrN2/fvf/w8dPnL1+/ff/x"
                + "89fvP3//ISIiIiIiIiIiIiIiIiIiIiIiIiIiIiIiIiIiIiIiIiIiIiIiIiIiIiIiIiIiIiIiIiIiIiIiIiIiIiIiIiIiIiIiIiIiIiIiIiIiIi"
                + "IiIiIiIiIiIiIiIiIiIiIiIiIiIiIiIv4HNVQ2YA==", mixed
        ),
        (
            "one byte, often",
            "eJztwTEBAAAAwqCs61/CEp5AAQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
                + "AAAABvA0cKoXo=",
            Array(repeating: UInt8(ascii: "a"), count: 70_000)
        ),
        ("nothing", "eJwDAAAAAAE=", []),
        ("one byte, again and again", "eNpLTBwFo2AUDHcAAPnYevg=", Array(repeating: UInt8(ascii: "a"), count: 1_000)),
    ]

    static func bytes(_ text: String) throws -> [UInt8] { Array(try #require(Data(base64Encoded: text))) }

    @Test(arguments: Self.vectors.indices) func `a stream is taken apart, up to its very limit`(index: Int) throws {
        let (name, stream, content) = Self.vectors[index]
        let bytes = try Self.bytes(stream)
        #expect(try Inflate.zlib(bytes, limit: content.count) == content, "\(name)")
        if !content.isEmpty {
            #expect(throws: Inflate.Failure.tooLarge, "\(name)") { try Inflate.zlib(bytes, limit: content.count - 1) }
        }
    }

    // Without the one that becomes long: a test that computes for long holds up all the others.
    @Test(arguments: Self.vectors.indices.filter { Self.vectors[$0].content.count <= 1_000 })
    func `a stream that is cut, longer, or changed anywhere is broken, and no more than that`(
        index: Int
    ) throws {
        let (name, stream, content) = Self.vectors[index]
        let bytes = try Self.bytes(stream)
        let limit = 100_000
        for length in 0..<bytes.count {
            #expect(throws: Inflate.Failure.malformed, "\(name), \(length) bytes") {
                try Inflate.zlib(Array(bytes[..<length]), limit: limit)
            }
        }
        #expect(throws: Inflate.Failure.malformed) { try Inflate.zlib(bytes + [0], limit: limit) }
        for position in bytes.indices {
            // Each bit of what tells how to read the rest, and of short streams; of what follows one in each byte.
            for bit in 0..<8 where position < 128 || position % 8 == bit {
                var changed = bytes
                changed[position] ^= 1 << UInt8(bit)
                // A bit of the header's that names the level, or of the padding, changes nothing.
                if let read = try? Inflate.zlib(changed, limit: limit) { #expect(read == content, "\(name), \(position)") }
            }
        }
    }

    @Test func `what is no zlib stream, or wants a dictionary, is refused; random bytes end`() {
        // gzip's own framing, raw deflate, a window of 64 KiB, a dictionary, a distance before the beginning.
        for bytes: [UInt8] in [
            [], [0x1F, 0x8B, 8, 0, 0, 0, 0, 0], [3, 0, 0, 0, 0, 0], [0x88, 0x1C, 3, 0, 0, 0, 0, 1], [0x78, 0xBB, 3, 0, 0, 0, 0, 1],
            [0x78, 0x9C, 0x03, 0x02, 0x00, 0, 0, 0, 1],
        ] {
            #expect(throws: Inflate.Failure.malformed, "\(bytes)") { try Inflate.zlib(bytes, limit: 1000) }
        }
        var generator = SystemRandomNumberGenerator()
        for _ in 0..<2000 {
            let bytes = (0..<Int.random(in: 1...200, using: &generator)).map { _ in UInt8.random(in: 0...255, using: &generator) }
            _ = try? Inflate.zlib([0x78, 0x9C] + bytes, limit: 10_000)
        }
    }
}
