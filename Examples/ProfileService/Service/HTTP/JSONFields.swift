import Foundation
import HTTPTypes

/// The fields of a JSON object as far as this service reads them: strings, and values of another type.
struct JSONFields: Sendable {
    enum Value: Equatable, Sendable {
        case string(String)
        case other
    }

    /// Nil when the body is JSON, but no object.
    let fields: [String: Value]?

    /// - Throws: `HTTPFailure` 400 when the bytes are no JSON in UTF-8.
    init(parsing bytes: some Sequence<UInt8>) throws(HTTPFailure) {
        let bytes = Array(bytes)
        // The syntax has no zero byte either, from which the decoder would guess UTF-16 or UTF-32.
        guard String(validating: bytes, as: UTF8.self) != nil, JSONSyntax.accepts(bytes),
            let root = try? JSONDecoder().decode(Root.self, from: Data(bytes))
        else { throw HTTPFailure(.badRequest, "the body is no valid JSON in UTF-8") }
        self.fields = root.fields
    }

    private struct Root: Decodable {
        var fields: [String: Value]?

        init(from decoder: any Decoder) throws {
            self.fields = try JSONFields.unlessOfAnotherType {
                try decoder.singleValueContainer().decode([String: FieldValue].self).mapValues(\.value)
            }
        }
    }

    private struct FieldValue: Decodable {
        var value: Value

        init(from decoder: any Decoder) throws {
            let text = try JSONFields.unlessOfAnotherType { try decoder.singleValueContainer().decode(String.self) }
            self.value = text.map(Value.string) ?? .other
        }
    }

    /// Nil for a value of another type; what is malformed stays an error.
    private static func unlessOfAnotherType<Result>(_ decode: () throws -> Result) throws -> Result? {
        do {
            return try decode()
        } catch DecodingError.typeMismatch, DecodingError.valueNotFound {
            return nil
        }
    }
}

/// Collects what is wrong with the fields of a body, so that all of it is answered at once.
struct FieldCheck {
    private let fields: JSONFields
    private var reasons: [String: String] = [:]

    init(_ fields: JSONFields) {
        self.fields = fields
    }

    /// The field's text; a reason is noted when it is missing, no string, or refused by `rule`.
    mutating func string(_ name: String, rule: (String) -> String?) -> String {
        switch self.fields.fields?[name] {
        case .string(let text):
            self.reasons[name] = rule(text)
            return text
        case .other:
            self.reasons[name] = "must be a string"
        case nil:
            self.reasons[name] = self.fields.fields == nil ? "is missing: the body must be a JSON object" : "is missing"
        }
        return ""
    }

    /// Throws when anything was noted.
    func finish() throws(InvalidFields) {
        if !self.reasons.isEmpty { throw InvalidFields(reasons: self.reasons) }
    }
}

/// The fields that broke a rule, each with its reason; answered as 422.
struct InvalidFields: Error, Equatable {
    var reasons: [String: String]
}
