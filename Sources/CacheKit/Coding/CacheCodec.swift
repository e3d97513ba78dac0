public import Foundation

/// How values of one type become bytes and come back.
///
/// The codec of a call is chosen by the value's type: bytes, strings and integers have raw forms, everything else is encoded in the
/// cache's ``CacheConfiguration/format``. A call may name another.
public struct CacheCodec<Value: Sendable>: Sendable {
    /// Part of the schema fingerprint: values written under another name are not read.
    public let name: String
    let encode: @Sendable (Value) throws -> [UInt8]
    let decode: @Sendable ([UInt8]) throws -> Value

    /// A codec of one's own. What `decode` throws makes the entry a miss; what `encode` throws reaches the caller as
    /// ``CacheError/Code/encodingFailed``.
    public init(
        name: String, encode: @escaping @Sendable (Value) throws -> [UInt8], decode: @escaping @Sendable ([UInt8]) throws -> Value
    ) {
        self.name = name
        self.encode = encode
        self.decode = decode
    }
}

extension CacheCodec where Value: Codable {
    /// JSON, dates in ISO 8601 by JSONEncoder's defaults of this package: seconds since 2001 as numbers, data in base 64.
    public static var json: CacheCodec {
        CacheCodec(
            name: "json",
            encode: { Array(try JSONEncoder().encode($0)) },
            decode: { try JSONDecoder().decode(Value.self, from: Data($0)) })
    }

    /// A binary property list. The value is wrapped in an array of one, since a property list's top may be no number or string.
    public static var propertyList: CacheCodec {
        CacheCodec(
            name: "plist",
            encode: { value in
                let encoder = PropertyListEncoder()
                encoder.outputFormat = .binary
                return Array(try encoder.encode([value]))
            },
            decode: { bytes in
                guard let value = try PropertyListDecoder().decode([Value].self, from: Data(bytes)).first else {
                    throw UndecodableValue()
                }
                return value
            })
    }

    /// The codec for a type when the call names none.
    static func automatic(format: CacheFormat) -> CacheCodec {
        if let raw = RawCodecs.codec(for: Value.self) { return raw }
        switch format {
        case .json: return .json
        case .propertyList: return .propertyList
        }
    }
}

extension CacheCodec where Value == [UInt8] {
    /// The bytes themselves.
    public static var bytes: CacheCodec { CacheCodec(name: "bytes", encode: { $0 }, decode: { $0 }) }
}

extension CacheCodec where Value == Data {
    /// The bytes themselves.
    public static var data: CacheCodec { CacheCodec(name: "bytes", encode: { Array($0) }, decode: { Data($0) }) }
}

extension CacheCodec where Value == String {
    /// UTF-8. Bytes that are none are a miss.
    public static var string: CacheCodec {
        CacheCodec(
            name: "utf8",
            encode: { Array($0.utf8) },
            decode: { bytes in
                guard let text = String(validating: bytes, as: UTF8.self) else { throw UndecodableValue() }
                return text
            })
    }
}

extension CacheCodec where Value: FixedWidthInteger {
    /// ASCII decimals.
    public static var integer: CacheCodec {
        CacheCodec(
            name: "decimal",
            encode: { Array(String($0).utf8) },
            decode: { bytes in
                guard let value = Value(String(decoding: bytes, as: UTF8.self)) else { throw UndecodableValue() }
                return value
            })
    }
}

/// Bytes that are no value of the codec's type.
struct UndecodableValue: Error {}

/// The raw codecs by type.
private enum RawCodecs {
    static let table: [ObjectIdentifier: any Sendable] = [
        ObjectIdentifier([UInt8].self): CacheCodec<[UInt8]>.bytes,
        ObjectIdentifier(Data.self): CacheCodec<Data>.data,
        ObjectIdentifier(String.self): CacheCodec<String>.string,
        ObjectIdentifier(Int.self): CacheCodec<Int>.integer,
        ObjectIdentifier(Int64.self): CacheCodec<Int64>.integer,
        ObjectIdentifier(UInt64.self): CacheCodec<UInt64>.integer,
        ObjectIdentifier(Int32.self): CacheCodec<Int32>.integer,
        ObjectIdentifier(UInt32.self): CacheCodec<UInt32>.integer,
        ObjectIdentifier([UInt8]?.self): CacheCodec<[UInt8]?>.lifting(.bytes),
        ObjectIdentifier(Data?.self): CacheCodec<Data?>.lifting(.data),
        ObjectIdentifier(String?.self): CacheCodec<String?>.lifting(.string),
        ObjectIdentifier(Int?.self): CacheCodec<Int?>.lifting(.integer),
        ObjectIdentifier(Int64?.self): CacheCodec<Int64?>.lifting(.integer),
    ]

    static func codec<Value: Sendable>(for _: Value.Type) -> CacheCodec<Value>? {
        self.table[ObjectIdentifier(Value.self)] as? CacheCodec<Value>
    }
}

extension CacheCodec {
    /// The codec of an optional by its wrapped type's. `nil` never reaches a codec: it is a flag in the record's head.
    static func lifting<Wrapped: Sendable>(_ codec: CacheCodec<Wrapped>) -> CacheCodec where Value == Wrapped? {
        CacheCodec(
            name: codec.name,
            encode: { value in
                guard let value else { throw UndecodableValue() }
                return try codec.encode(value)
            },
            decode: { try codec.decode($0) })
    }
}
