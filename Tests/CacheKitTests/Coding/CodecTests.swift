import Foundation
import ScaleTesting
import Testing

@testable import CacheKit

/// Values through the bytes of a store, as a server keeps them.
@Suite struct CodecTests {
    struct Profile: Codable, Hashable, Sendable {
        var name: String
        var scores: [Double]
        var motto: String?
    }

    private func expectRoundTrip<Value: Codable & Equatable & Sendable>(
        _ values: Value..., format: CacheFormat = .json, codec: CacheCodec<Value>? = nil, location: SourceLocation = #_sourceLocation
    ) async throws {
        var configuration = CacheConfiguration()
        configuration.format = format
        let cache = Cache(store: LesserStore.ofBytes(), configuration: configuration)
        for (index, value) in values.enumerated() {
            try await cache.set(value, for: "\(index)", codec: codec)
            #expect(try await cache.get("\(index)", as: Value.self, codec: codec) == value, sourceLocation: location)
            #expect(
                try await cache.lookup(for: "\(index)", codec: codec) { () -> Value in throw CacheError(code: .unsupported, message: "") }
                    == CacheResult(value: value, outcome: .hit), sourceLocation: location)
        }
    }

    @Test func `integers come back to their last bit`() async throws {
        try await self.expectRoundTrip(0, 1, -1, Int.min, Int.max)
        try await self.expectRoundTrip(Int64.min, .max)
        try await self.expectRoundTrip(UInt64.min, .max)
        try await self.expectRoundTrip(Int32.min, .max)
        try await self.expectRoundTrip(UInt32.max)
        try await self.expectRoundTrip(Int8.min, .max)
        try await self.expectRoundTrip(UInt8.max)
        try await self.expectRoundTrip(Int16.min)
        try await self.expectRoundTrip(UInt.max)
        try await self.expectRoundTrip(Int?.some(.min), nil, 0)
    }

    @Test func `strings and bytes come back as they are`() async throws {
        try await self.expectRoundTrip("", "a\r\n\0b", "\u{E9}", "日本🇯🇵", String(repeating: "x", count: 100_000))
        try await self.expectRoundTrip([UInt8](), [0, 13, 10, 255], Array(0...255))
        try await self.expectRoundTrip(Data(), Data([0, 255]))
        try await self.expectRoundTrip(String?.none, "", "x")
        try await self.expectRoundTrip(Data?.none, Data())
        try await self.expectRoundTrip([UInt8]?.none, [])
    }

    @Test(arguments: [CacheFormat.json, .propertyList]) func `Codable values come back`(format: CacheFormat) async throws {
        let profile = Profile(name: "Ada", scores: [1, 2.5], motto: nil)
        try await self.expectRoundTrip(profile, Profile(name: "", scores: [], motto: ""), format: format)
        try await self.expectRoundTrip([profile], [], format: format)
        try await self.expectRoundTrip(["a": 1], [:], format: format)
        try await self.expectRoundTrip(true, false, format: format)
        try await self.expectRoundTrip(1.5, -0.0, .greatestFiniteMagnitude, format: format)
        try await self.expectRoundTrip(Profile?.none, profile, format: format)
        try await self.expectRoundTrip(Bool?.some(false), nil, true, format: format)
        try await self.expectRoundTrip(Date(timeIntervalSinceReferenceDate: 0.125), format: format)
    }

    @Test func `a codec of one's own is used where it is named`() async throws {
        let codec = CacheCodec<Int>(name: "unary", encode: { Array(repeating: 1, count: $0) }, decode: { $0.count })
        try await self.expectRoundTrip(0, 3, codec: codec)
    }

    @Test func `a value that cannot be encoded is an error that does not quote it, and removes the older one`() async throws {
        let cache = Cache(store: LesserStore.ofBytes())
        try await cache.set(1.5, for: "k")
        let error = await #expect(throws: CacheError.self) { try await cache.set(Double.nan, for: "k") }
        #expect(error?.code == .encodingFailed)
        #expect(error?.key == "k")
        #expect(error?.description.lowercased().contains("nan") == false)
        #expect(try await cache.get("k", as: Double.self) == nil)
        let loading = await #expect(throws: CacheError.self) { try await cache.value(for: "l") { Double.infinity } }
        #expect(loading?.code == .encodingFailed)
        // The lease was given back.
        #expect(try await cache.lookup(for: "l") { 1.0 }.outcome == .loaded)
    }

    @Test func `bytes that the codec cannot read are a miss and are replaced`() async throws {
        let cache = Cache(store: LesserStore.ofBytes())
        let picky = CacheCodec<Int>(
            name: "decimal", encode: { Array(String($0).utf8) }, decode: { _ in throw CacheError(code: .unsupported, message: "no") })
        try await cache.set(1, for: "k")
        #expect(try await cache.get("k", as: Int.self, codec: picky) == nil)
        #expect(try await cache.lookup(for: "k", codec: picky) { 2 } == CacheResult(value: 2, outcome: .loaded))
        #expect(try await cache.get("k", as: Int.self) == 2)
    }

    @Test func `an integer that does not fit its type, and a string that is no UTF-8, are a miss`() {
        #expect(throws: (any Error).self) { try CacheCodec<Int32>.integer.decode(Array("2147483648".utf8)) }
        #expect(throws: (any Error).self) { try CacheCodec<UInt64>.integer.decode(Array("-1".utf8)) }
        #expect(throws: (any Error).self) { try CacheCodec<Int>.integer.decode([]) }
        #expect(throws: (any Error).self) { try CacheCodec<Int>.integer.decode([0xFF]) }
        #expect(throws: (any Error).self) { try CacheCodec<String>.string.decode([0xC3]) }
        #expect(throws: (any Error).self) { try CacheCodec<[Int]>.json.decode([]) }
        #expect(throws: (any Error).self) { try CacheCodec<[Int]>.propertyList.decode(Array("bplist00".utf8)) }
    }
}

/// What makes an entry another's.
@Suite struct SchemaTests {
    private struct Old: Codable, Hashable, Sendable { var name: String }
    private struct New: Codable, Hashable, Sendable { var name: String }

    private struct Versioned1: Codable, Hashable, Sendable, CacheSchema {
        static let cacheSchema = "profile-1"
        var name: String
    }

    private struct Renamed1: Codable, Hashable, Sendable, CacheSchema {
        static let cacheSchema = "profile-1"
        var name: String
    }

    private struct Versioned2: Codable, Hashable, Sendable, CacheSchema {
        static let cacheSchema = "profile-2"
        var name: String
    }

    private let cache = Cache(store: LesserStore.ofBytes())

    @Test func `another type is a miss and is replaced`() async throws {
        try await self.cache.set(Old(name: "a"), for: "k")
        #expect(try await self.cache.get("k", as: New.self) == nil)
        #expect(try await self.cache.lookup(for: "k") { New(name: "b") }.outcome == .loaded)
        #expect(try await self.cache.get("k", as: Old.self) == nil)
        #expect(try await self.cache.get("k", as: New.self) == New(name: "b"))
    }

    @Test func `a declared schema decides instead of the type's name`() async throws {
        try await self.cache.set(Versioned1(name: "a"), for: "k")
        #expect(try await self.cache.get("k", as: Renamed1.self) == Renamed1(name: "a"))
        #expect(try await self.cache.get("k", as: Versioned2.self) == nil)
        try await self.cache.set(Versioned1?.some(Versioned1(name: "a")), for: "o")
        #expect(try await self.cache.get("o", as: Renamed1?.self) == .some(Renamed1(name: "a")))
        #expect(try await self.cache.get("o", as: Versioned2?.self) == nil)
    }

    @Test func `another codec is a miss`() async throws {
        try await self.cache.set([1], for: "k")
        #expect(try await self.cache.get("k", as: [Int].self, codec: .propertyList) == nil)
        #expect(try await self.cache.get("k", as: [Int].self) == [1])
        try await self.cache.set("1", for: "n")
        #expect(try await self.cache.get("n", as: Int.self) == nil)
        #expect(try await self.cache.get("n", as: [UInt8].self) == nil)
    }

    @Test func `a fingerprint is the beginning of SHA-256 over codec, zero and schema`() {
        // printf 'json\0profile-1' | sha256sum
        #expect(SchemaFingerprint.of(Versioned1.self, codec: "json") == 0xDFE4_CC2D_B3E4_370B)
    }

    @Test func `names of private types do not depend on the build`() {
        #expect(SchemaFingerprint.withoutAddresses("App.(unknown context at $10a2b3c4).Old") == "App.Old")
        #expect(
            SchemaFingerprint.withoutAddresses("Swift.Array<App.(unknown context at $1).(unknown context at $2).X>")
                == "Swift.Array<App.X>")
        #expect(SchemaFingerprint.withoutAddresses("App.(unknown context at $1") == "App.1")
        #expect(!SchemaFingerprint.name(of: Old.self).contains("$"))
        #expect(SchemaFingerprint.name(of: Old.self) != SchemaFingerprint.name(of: New.self))
    }
}
