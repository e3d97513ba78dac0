/// Decodes a value from JSON, unwrapping what kombu wraps.
struct PayloadDecoder: Decoder {
    let value: JSONValue
    let codingPath: [any CodingKey]
    var userInfo: [CodingUserInfoKey: Any] { [:] }

    static func decode<T: Decodable>(_ type: T.Type, from value: JSONValue, path: [any CodingKey] = []) throws -> T {
        if type == JSONValue.self, let value = value as? T { return value }
        if TypedValue.handles(type) {
            guard let typed = TypedValue.read(value, as: type) as? T else {
                throw Self.mismatch(type, value, path)
            }
            return typed
        }
        // A wrapper may also stand where the payload asks for plain text or for a structure of its own.
        return try T(from: PayloadDecoder(value: TypedValue.unwrap(value).value, codingPath: path))
    }

    func container<Key: CodingKey>(keyedBy type: Key.Type) throws -> KeyedDecodingContainer<Key> {
        guard case .object(let object) = self.value else { throw Self.mismatch([String: Any].self, self.value, self.codingPath) }
        return KeyedDecodingContainer(ObjectContainer<Key>(object: object, codingPath: self.codingPath))
    }

    func unkeyedContainer() throws -> any UnkeyedDecodingContainer {
        guard case .array(let elements) = self.value else { throw Self.mismatch([Any].self, self.value, self.codingPath) }
        return ArrayContainer(elements: elements, codingPath: self.codingPath)
    }

    func singleValueContainer() -> any SingleValueDecodingContainer {
        ScalarContainer(value: self.value, codingPath: self.codingPath)
    }

    /// Says what kind of value was found, and not which.
    static func mismatch(_ type: Any.Type, _ found: JSONValue, _ path: [any CodingKey]) -> DecodingError {
        .typeMismatch(type, .init(codingPath: path, debugDescription: "\(found.kind) instead of \(type)"))
    }
}

/// The members of an object.
private struct ObjectContainer<Key: CodingKey>: KeyedDecodingContainerProtocol {
    let object: JSONObject
    let codingPath: [any CodingKey]

    var allKeys: [Key] { self.object.keys.compactMap { Key(stringValue: $0) } }

    func contains(_ key: Key) -> Bool { self.object[key.stringValue] != nil }

    private func value(_ key: Key) throws -> JSONValue {
        guard let value = self.object[key.stringValue] else {
            throw DecodingError.keyNotFound(key, .init(codingPath: self.codingPath, debugDescription: "no value for \(key.stringValue)"))
        }
        return value
    }

    func decodeNil(forKey key: Key) throws -> Bool { try self.value(key).isNull }

    // What most payloads consist of needs none of the questions below.
    func decode(_ type: String.Type, forKey key: Key) throws -> String {
        let value = try self.value(key)
        if case .string(let text) = value { return text }
        return try PayloadDecoder.decode(type, from: value, path: self.codingPath + [key])
    }

    func decode(_ type: Int.Type, forKey key: Key) throws -> Int {
        let value = try self.value(key)
        if case .integer(let integer) = value, let integer = Int(exactly: integer) { return integer }
        return try PayloadDecoder.decode(type, from: value, path: self.codingPath + [key])
    }

    func decode<T: Decodable>(_ type: T.Type, forKey key: Key) throws -> T {
        try PayloadDecoder.decode(type, from: self.value(key), path: self.codingPath + [key])
    }

    private func decoder(_ key: Key) throws -> PayloadDecoder {
        PayloadDecoder(value: try self.value(key), codingPath: self.codingPath + [key])
    }

    func nestedContainer<N: CodingKey>(keyedBy type: N.Type, forKey key: Key) throws -> KeyedDecodingContainer<N> {
        try self.decoder(key).container(keyedBy: type)
    }

    func nestedUnkeyedContainer(forKey key: Key) throws -> any UnkeyedDecodingContainer {
        try self.decoder(key).unkeyedContainer()
    }

    func superDecoder() throws -> any Decoder {
        PayloadDecoder(value: self.object["super"] ?? .null, codingPath: self.codingPath)
    }

    func superDecoder(forKey key: Key) throws -> any Decoder { try self.decoder(key) }
}

/// The elements of an array.
struct ArrayContainer: UnkeyedDecodingContainer {
    let elements: [JSONValue]
    let codingPath: [any CodingKey]
    private(set) var currentIndex = 0

    init(elements: [JSONValue], codingPath: [any CodingKey]) {
        self.elements = elements
        self.codingPath = codingPath
    }

    var count: Int? { self.elements.count }
    var isAtEnd: Bool { self.currentIndex >= self.elements.count }

    private struct Index: CodingKey {
        let intValue: Int?
        var stringValue: String { "[\(self.intValue ?? 0)]" }
        init(_ index: Int) { self.intValue = index }
        init?(intValue: Int) { self.init(intValue) }
        init?(stringValue: String) { return nil }
    }

    private func next() throws -> JSONValue {
        guard self.currentIndex < self.elements.count else {
            throw DecodingError.valueNotFound(
                JSONValue.self, .init(codingPath: self.codingPath, debugDescription: "only \(self.elements.count) elements"))
        }
        return self.elements[self.currentIndex]
    }

    private var elementPath: [any CodingKey] { self.codingPath + [Index(self.currentIndex)] }

    mutating func decodeNil() throws -> Bool {
        guard try self.next().isNull else { return false }
        self.currentIndex += 1
        return true
    }

    mutating func decode<T: Decodable>(_ type: T.Type) throws -> T {
        let value = try PayloadDecoder.decode(type, from: self.next(), path: self.elementPath)
        self.currentIndex += 1
        return value
    }

    private mutating func decoder() throws -> PayloadDecoder {
        let decoder = PayloadDecoder(value: try self.next(), codingPath: self.elementPath)
        self.currentIndex += 1
        return decoder
    }

    mutating func nestedContainer<N: CodingKey>(keyedBy type: N.Type) throws -> KeyedDecodingContainer<N> {
        try self.decoder().container(keyedBy: type)
    }

    mutating func nestedUnkeyedContainer() throws -> any UnkeyedDecodingContainer {
        try self.decoder().unkeyedContainer()
    }

    mutating func superDecoder() throws -> any Decoder { try self.decoder() }
}

/// One value.
private struct ScalarContainer: SingleValueDecodingContainer {
    let value: JSONValue
    let codingPath: [any CodingKey]

    func decodeNil() -> Bool { self.value.isNull }

    func decode(_ type: Bool.Type) throws -> Bool {
        guard let value = self.value.boolValue else { throw PayloadDecoder.mismatch(type, self.value, self.codingPath) }
        return value
    }

    func decode(_ type: String.Type) throws -> String {
        guard let value = self.value.stringValue else { throw PayloadDecoder.mismatch(type, self.value, self.codingPath) }
        return value
    }

    func decode(_ type: Double.Type) throws -> Double {
        guard let value = self.value.doubleValue else { throw PayloadDecoder.mismatch(type, self.value, self.codingPath) }
        return value
    }

    func decode(_ type: Float.Type) throws -> Float { Float(try self.decode(Double.self)) }
    func decode(_ type: Int.Type) throws -> Int { try self.integer(type) }
    func decode(_ type: Int8.Type) throws -> Int8 { try self.integer(type) }
    func decode(_ type: Int16.Type) throws -> Int16 { try self.integer(type) }
    func decode(_ type: Int32.Type) throws -> Int32 { try self.integer(type) }
    func decode(_ type: Int64.Type) throws -> Int64 { try self.integer(type) }
    func decode(_ type: Int128.Type) throws -> Int128 { try self.integer(type) }
    func decode(_ type: UInt.Type) throws -> UInt { try self.integer(type) }
    func decode(_ type: UInt8.Type) throws -> UInt8 { try self.integer(type) }
    func decode(_ type: UInt16.Type) throws -> UInt16 { try self.integer(type) }
    func decode(_ type: UInt32.Type) throws -> UInt32 { try self.integer(type) }
    func decode(_ type: UInt64.Type) throws -> UInt64 { try self.integer(type) }
    func decode(_ type: UInt128.Type) throws -> UInt128 { try self.integer(type) }

    func decode<T: Decodable>(_ type: T.Type) throws -> T {
        try PayloadDecoder.decode(type, from: self.value, path: self.codingPath)
    }

    private func integer<T: FixedWidthInteger>(_ type: T.Type) throws -> T {
        let integer: T? =
            switch self.value {
            case .integer(let value): T(exactly: value)
            case .bigInteger(let digits): T(digits)
            case .double(let value): T(exactly: value)
            case .null, .bool, .string, .array, .object: nil
            }
        guard let integer else { throw PayloadDecoder.mismatch(type, self.value, self.codingPath) }
        return integer
    }
}
