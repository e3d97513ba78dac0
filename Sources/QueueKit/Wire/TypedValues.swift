internal import ScaleCore

#if canImport(FoundationEssentials)
internal import FoundationEssentials
#else
internal import Foundation
#endif

/// The values that kombu's JSON wraps because JSON has no form for them: `{"__type__": "datetime", "__value__": "…"}`.
///
/// Dates, UUIDs, data and decimals of a payload are written in this form, so that Python gets `datetime`, `UUID`, `bytes` and
/// `Decimal`, and read from it. They are also read from what a caller that knows no kombu would write: an ISO 8601 date-time or seconds
/// since 1970, a UUID's text, text, a number.
enum TypedValue {
    /// The wrapped form of `value`, if it is of a type that has one.
    static func wrap(_ value: any Encodable) -> JSONValue? {
        switch value {
        case let date as Date:
            wrap("datetime", .string(Timestamp.text(UTCTime(date))))
        case let uuid as UUID:
            wrap("uuid", ["hex": .string(uuid.uuidString.lowercased().filter { $0 != "-" })])
        case let data as Data:
            String(validating: data, as: UTF8.self).map { wrap("bytes", .string($0)) }
                ?? wrap("base64", .string(data.base64EncodedString()))
        case let decimal as Decimal:
            wrap("decimal", .string(decimal.description))
        case let url as URL:
            .string(url.absoluteString)
        default:
            nil
        }
    }

    private static func wrap(_ type: String, _ value: JSONValue) -> JSONValue {
        ["__type__": .string(type), "__value__": value]
    }

    /// What is in the wrapper, or the value itself when it is none. A wrapper has exactly the two keys.
    static func unwrap(_ value: JSONValue) -> (type: String?, value: JSONValue) {
        guard case .object(let object) = value, object.count == 2, let type = object["__type__"]?.stringValue,
            let inner = object["__value__"]
        else { return (nil, value) }
        return (type, inner)
    }

    /// Whether ``read(_:as:)`` is responsible for a type.
    static func handles(_ type: any Decodable.Type) -> Bool {
        type == Date.self || type == UUID.self || type == Data.self || type == Decimal.self || type == URL.self
    }

    /// The value as one of the handled types; `nil` when it is none.
    static func read(_ value: JSONValue, as type: any Decodable.Type) -> (any Decodable)? {
        let (name, inner) = self.unwrap(value)
        if type == Date.self { return self.date(inner) }
        if type == UUID.self { return self.uuid(inner) }
        if type == Data.self { return self.data(inner, isBase64: name == "base64") }
        if type == Decimal.self { return self.decimal(inner) }
        if type == URL.self { return inner.stringValue.flatMap { URL(string: $0) } }
        return nil
    }

    private static func date(_ value: JSONValue) -> Date? {
        if let text = value.stringValue { return Timestamp.parse(text).map { Date($0) } }
        return value.doubleValue.map { Date(timeIntervalSince1970: $0) }
    }

    private static func uuid(_ value: JSONValue) -> UUID? {
        guard var text = value.objectValue?["hex"]?.stringValue ?? value.stringValue else { return nil }
        if text.utf8.count == 32, text.utf8.allSatisfy({ $0 < 0x80 }) {
            for offset in [20, 16, 12, 8] { text.insert("-", at: text.index(text.startIndex, offsetBy: offset)) }
        }
        return UUID(uuidString: text)
    }

    private static func data(_ value: JSONValue, isBase64: Bool) -> Data? {
        guard let text = value.stringValue else { return nil }
        return isBase64 ? Data(base64Encoded: text) : Data(text.utf8)
    }

    private static func decimal(_ value: JSONValue) -> Decimal? {
        switch value {
        case .string(let text): Decimal(string: text)
        case .integer(let integer): Decimal(integer)
        case .bigInteger(let digits): Decimal(string: digits)
        case .double(let double) where double.isFinite: Decimal(double)
        case .double, .null, .bool, .array, .object: nil
        }
    }
}

extension UTCTime {
    /// Rounded to microseconds, the unit of Python's `datetime`.
    fileprivate init(_ date: Date) {
        let seconds = Duration(saturatingSeconds: date.timeIntervalSince1970)
        let microseconds = (Double(seconds.wholeNanoseconds) / 1000).rounded()
        self.init(nanosecondsSinceEpoch: Int64(exactly: microseconds)?.multipliedReportingOverflow(by: 1000).partialValue ?? 0)
    }
}

extension Date {
    fileprivate init(_ time: UTCTime) {
        self.init(timeIntervalSince1970: Double(time.nanosecondsSinceEpoch / 1000) / 1e6)
    }
}
