internal import ScaleCore

/// A JSON document as Celery's peers write it: Python's integers of any size and its `NaN` and `Infinity` included.
///
/// Equality of objects ignores the order of their keys. `NaN` equals nothing, itself included, as in IEEE 754.
public enum JSONValue: Hashable, Sendable {
    case null
    case bool(Bool)
    case integer(Int64)
    /// An integer outside of `Int64`, by its decimal digits, so that none is lost on the way through.
    case bigInteger(String)
    case double(Double)
    case string(String)
    case array([JSONValue])
    case object(JSONObject)
}

extension JSONValue: ExpressibleByNilLiteral, ExpressibleByBooleanLiteral, ExpressibleByIntegerLiteral, ExpressibleByFloatLiteral,
    ExpressibleByStringLiteral, ExpressibleByArrayLiteral, ExpressibleByDictionaryLiteral
{
    public init(nilLiteral: ()) { self = .null }
    public init(booleanLiteral value: Bool) { self = .bool(value) }
    public init(integerLiteral value: Int64) { self = .integer(value) }
    public init(floatLiteral value: Double) { self = .double(value) }
    public init(stringLiteral value: String) { self = .string(value) }
    public init(arrayLiteral elements: JSONValue...) { self = .array(elements) }
    public init(dictionaryLiteral elements: (String, JSONValue)...) {
        var object = JSONObject()
        for (key, value) in elements { object[key] = value }
        self = .object(object)
    }
}

extension JSONValue {
    /// The string, when this is one.
    public var stringValue: String? {
        if case .string(let value) = self { value } else { nil }
    }

    /// The number as an `Int64`: an integer, or a double without a fraction (Python's JSON may write `2.0`) that fits.
    public var integerValue: Int64? {
        switch self {
        case .integer(let value): value
        case .double(let value): Int64(exactly: value)
        case .null, .bool, .bigInteger, .string, .array, .object: nil
        }
    }

    /// The number as a `Double`, rounded to the nearest one when it is an integer beyond 2⁵³.
    public var doubleValue: Double? {
        switch self {
        case .integer(let value): Double(value)
        case .bigInteger(let digits): Double(digits)
        case .double(let value): value
        case .null, .bool, .string, .array, .object: nil
        }
    }

    public var boolValue: Bool? {
        if case .bool(let value) = self { value } else { nil }
    }

    public var arrayValue: [JSONValue]? {
        if case .array(let value) = self { value } else { nil }
    }

    public var objectValue: JSONObject? {
        if case .object(let value) = self { value } else { nil }
    }

    public var isNull: Bool {
        if case .null = self { true } else { false }
    }

    /// The kind of value as a word for messages; never the value.
    package var kind: String {
        switch self {
        case .null: "null"
        case .bool: "a boolean"
        case .integer, .bigInteger: "an integer"
        case .double: "a number"
        case .string: "a string"
        case .array: "an array"
        case .object: "an object"
        }
    }
}

/// A JSON object: keys in the order in which they came, a value each. A key that is set twice keeps its place and its last value.
/// Keys are compared by their bytes (RFC 8259 §8.3).
public struct JSONObject: Sendable {
    /// The keys in their order.
    public private(set) var keys: [String] = []
    private var values: [JSONValue] = []
    /// Where the keys are, once there are so many that searching for one costs more than this. Most objects, a message's headers among
    /// them, never have it.
    private var positions: [ExactName: Int]?

    private static let searchedKeys = 24

    public init() {}

    public init(_ pairs: [(String, JSONValue)]) {
        self.reserve(pairs.count)
        for (key, value) in pairs { self[key] = value }
    }

    /// The values of keys that the caller knows to be distinct: nothing is searched for, and the list of keys is shared.
    init(distinctKeys keys: [String], _ values: [JSONValue]) {
        precondition(keys.count == values.count && keys.count <= Self.searchedKeys, "not a value for each key")
        self.keys = keys
        self.values = values
    }

    /// Makes room for so many keys.
    package mutating func reserve(_ count: Int) {
        self.keys.reserveCapacity(count)
        self.values.reserveCapacity(count)
    }

    public var count: Int { self.keys.count }
    public var isEmpty: Bool { self.keys.isEmpty }

    private func position(of key: String) -> Int? {
        if let positions = self.positions { return positions[ExactName(key)] }
        return self.keys.firstIndex { $0.hasSameBytes(as: key) }
    }

    /// The value of a key; `nil` when the object has no such key (a JSON `null` is ``JSONValue/null``). Setting `nil` removes the key,
    /// in time linear in the number of keys.
    public subscript(key: String) -> JSONValue? {
        get { self.position(of: key).map { self.values[$0] } }
        set {
            switch (self.position(of: key), newValue) {
            case (let position?, let value?): self.values[position] = value
            case (nil, let value?): self.append(key, value)
            case (let position?, nil): self.remove(at: position)
            case (nil, nil): break
            }
        }
    }

    private mutating func append(_ key: String, _ value: JSONValue) {
        self.keys.append(key)
        self.values.append(value)
        if self.positions != nil {
            self.positions?[ExactName(key)] = self.keys.count - 1
        } else if self.keys.count > Self.searchedKeys {
            self.findPositions()
        }
    }

    private mutating func remove(at position: Int) {
        self.keys.remove(at: position)
        self.values.remove(at: position)
        if self.positions != nil { self.findPositions() }
    }

    private mutating func findPositions() {
        self.positions = Dictionary(uniqueKeysWithValues: zip(self.keys.lazy.map { ExactName($0) }, self.keys.indices))
    }
}

extension JSONObject: Hashable {
    public static func == (left: JSONObject, right: JSONObject) -> Bool {
        left.count == right.count && left.allSatisfy { right[$0.key] == $0.value }
    }

    public func hash(into hasher: inout Hasher) {
        // Whatever the order.
        var sum = 0
        for (key, value) in self {
            var one = Hasher()
            one.combine(ExactName(key))
            one.combine(value)
            sum ^= one.finalize()
        }
        hasher.combine(sum)
    }
}

extension JSONObject: Sequence {
    /// Keys and values in the order of the keys.
    public struct Iterator: IteratorProtocol {
        private let object: JSONObject
        private var index = 0

        fileprivate init(_ object: JSONObject) {
            self.object = object
        }

        public mutating func next() -> (key: String, value: JSONValue)? {
            guard self.index < self.object.keys.count else { return nil }
            defer { self.index += 1 }
            return (self.object.keys[self.index], self.object.values[self.index])
        }
    }

    public func makeIterator() -> Iterator { Iterator(self) }

    public var underestimatedCount: Int { self.count }
}

extension JSONObject: ExpressibleByDictionaryLiteral {
    public init(dictionaryLiteral elements: (String, JSONValue)...) {
        self.init(elements)
    }
}
