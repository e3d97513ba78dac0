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
    private var values: [ExactName: JSONValue] = [:]

    public init() {}

    public init(_ pairs: [(String, JSONValue)]) {
        for (key, value) in pairs { self[key] = value }
    }

    public var count: Int { self.keys.count }
    public var isEmpty: Bool { self.keys.isEmpty }

    /// The value of a key; `nil` when the object has no such key (a JSON `null` is ``JSONValue/null``). Setting `nil` removes the key,
    /// in time linear in the number of keys.
    public subscript(key: String) -> JSONValue? {
        get { self.values[name: key] }
        set {
            if let newValue {
                if self.values.updateValue(newValue, forKey: ExactName(key)) == nil { self.keys.append(key) }
            } else if self.values.removeValue(forKey: ExactName(key)) != nil {
                self.keys.removeAll { $0.hasSameBytes(as: key) }
            }
        }
    }
}

extension JSONObject: Hashable {
    public static func == (left: JSONObject, right: JSONObject) -> Bool { left.values == right.values }
    public func hash(into hasher: inout Hasher) { hasher.combine(self.values) }
}

extension JSONObject: Sequence {
    /// Keys and values in the order of the keys.
    public func makeIterator() -> AnyIterator<(key: String, value: JSONValue)> {
        var index = 0
        return AnyIterator {
            while index < self.keys.count {
                let key = self.keys[index]
                index += 1
                if let value = self.values[name: key] { return (key, value) }
            }
            return nil
        }
    }
}

extension JSONObject: ExpressibleByDictionaryLiteral {
    public init(dictionaryLiteral elements: (String, JSONValue)...) {
        self.init(elements)
    }
}
