internal import ScaleCore

/// Decodes a payload from a call's positional and keyword arguments, by Python's rules of calling.
///
/// The payload's decoder stands in for a function's signature: the first key that it asks for is the first parameter, and so on.
/// A parameter takes its positional argument if there are so many, else the keyword argument of its name. Too many positional
/// arguments, a parameter given both ways, a missing one and an unknown keyword are errors, as they are there.
struct ArgumentDecoder {
    /// The payload of a call.
    ///
    /// - Throws: `JobFailure` of type `TypeError` that names the parameter and never shows a value.
    static func decode<T: Decodable>(_ type: T.Type, arguments: [JSONValue], keywordArguments: JSONObject) throws(JobFailure) -> T {
        let binding = Binding(arguments: arguments, keywordArguments: keywordArguments)
        do {
            let value = try T(from: BoundDecoder(binding: binding))
            try binding.finish()
            return value
        } catch {
            throw self.failure(of: error)
        }
    }

    /// The arguments that a payload encodes to: keywords for a keyed one, positions for a list, one position for a single value.
    static func encode(_ payload: some Encodable) throws -> (arguments: [JSONValue], keywordArguments: JSONObject) {
        switch try PayloadEncoder.encode(payload) {
        case .object(let object): ([], object)
        case .array(let elements): (elements, [:])
        case let single: ([single], [:])
        }
    }

    static func failure(of error: any Error) -> JobFailure {
        let text: String
        switch error {
        case let error as JobFailure: return error
        case DecodingError.keyNotFound(let key, let context): text = "missing argument \(Self.name(context.codingPath + [key]))"
        case DecodingError.valueNotFound(_, let context), DecodingError.typeMismatch(_, let context):
            text = "argument \(Self.name(context.codingPath)): \(context.debugDescription)"
        case DecodingError.dataCorrupted(let context):
            // A payload's own complaint: its text may show the value, so it is not passed on.
            text = "argument \(Self.name(context.codingPath)) is not valid"
        default: text = "the arguments are not valid"
        }
        return JobFailure("TypeError", text, isPermanent: true)
    }

    private static func name(_ path: [any CodingKey]) -> String {
        path.isEmpty ? "list" : path.map(\.stringValue).joined(separator: ".")
    }
}

extension TaskMessage {
    /// The payload that the call's arguments make up, by Python's rules of calling.
    ///
    /// - Throws: ``JobFailure`` of type `TypeError`, as the worker reports it.
    public func payload<Payload: Decodable>(as type: Payload.Type) throws(JobFailure) -> Payload {
        try ArgumentDecoder.decode(type, arguments: self.arguments, keywordArguments: self.keywordArguments)
    }
}

/// Which parameter got which argument so far.
private final class Binding {
    let arguments: [JSONValue]
    let keywordArguments: JSONObject
    /// Parameters by name, with the order in which they were first asked for.
    private var positions: [ExactName: Int] = [:]
    private var takesAllArguments = false
    private var takesAllKeywords = false

    init(arguments: [JSONValue], keywordArguments: JSONObject) {
        self.arguments = arguments
        self.keywordArguments = keywordArguments
    }

    func argument(_ name: String) throws -> JSONValue? {
        let position: Int
        if let known = self.positions[name: name] {
            position = known
        } else {
            position = self.positions.count
            self.positions[name: name] = position
        }
        guard position < self.arguments.count else { return self.keywordArguments[name] }
        guard self.keywordArguments[name] == nil else {
            throw JobFailure("TypeError", "got multiple values for argument \(name)", isPermanent: true)
        }
        return self.arguments[position]
    }

    /// For payloads like a dictionary, which take whatever keywords there are.
    func allKeywords() -> [String] {
        self.takesAllKeywords = true
        return self.keywordArguments.keys
    }

    func allArguments() -> [JSONValue] {
        self.takesAllArguments = true
        return self.arguments
    }

    func finish() throws {
        if !self.takesAllArguments, self.arguments.count > self.positions.count {
            throw JobFailure(
                "TypeError", "takes \(self.positions.count) arguments but \(self.arguments.count) were given", isPermanent: true)
        }
        if !self.takesAllKeywords, let name = self.keywordArguments.keys.first(where: { self.positions[name: $0] == nil }) {
            throw JobFailure("TypeError", "got an unexpected keyword argument \(Self.printable(name))", isPermanent: true)
        }
    }

    /// A keyword comes from outside: keep logs readable.
    private static func printable(_ name: String) -> String {
        String(name.prefix(64).filter { !$0.isNewline && $0 != "\u{1B}" })
    }
}

private struct BoundDecoder: Decoder {
    let binding: Binding
    var codingPath: [any CodingKey] { [] }
    var userInfo: [CodingUserInfoKey: Any] { [:] }

    func container<Key: CodingKey>(keyedBy type: Key.Type) -> KeyedDecodingContainer<Key> {
        KeyedDecodingContainer(BoundContainer<Key>(binding: self.binding))
    }

    func unkeyedContainer() -> any UnkeyedDecodingContainer {
        ArrayContainer(elements: self.binding.allArguments(), codingPath: [])
    }

    func singleValueContainer() throws -> any SingleValueDecodingContainer {
        guard let only = try self.binding.argument("0") else {
            throw JobFailure("TypeError", "missing an argument", isPermanent: true)
        }
        return PayloadDecoder(value: TypedValue.unwrap(only).value, codingPath: []).singleValueContainer()
    }
}

private struct BoundContainer<Key: CodingKey>: KeyedDecodingContainerProtocol {
    let binding: Binding
    var codingPath: [any CodingKey] { [] }

    var allKeys: [Key] { self.binding.allKeywords().compactMap { Key(stringValue: $0) } }

    func contains(_ key: Key) -> Bool {
        // An argument that is given twice counts as there; decoding it tells.
        do { return try self.binding.argument(key.stringValue) != nil } catch { return true }
    }

    private func value(_ key: Key) throws -> JSONValue {
        guard let value = try self.binding.argument(key.stringValue) else {
            throw DecodingError.keyNotFound(key, .init(codingPath: [], debugDescription: "missing"))
        }
        return value
    }

    func decodeNil(forKey key: Key) throws -> Bool { try self.value(key).isNull }

    // What most payloads consist of needs none of the questions below.
    func decode(_ type: String.Type, forKey key: Key) throws -> String {
        let value = try self.value(key)
        if case .string(let text) = value { return text }
        return try PayloadDecoder.decode(type, from: value, path: [key])
    }

    func decode(_ type: Int.Type, forKey key: Key) throws -> Int {
        let value = try self.value(key)
        if case .integer(let integer) = value, let integer = Int(exactly: integer) { return integer }
        return try PayloadDecoder.decode(type, from: value, path: [key])
    }

    func decode<T: Decodable>(_ type: T.Type, forKey key: Key) throws -> T {
        try PayloadDecoder.decode(type, from: self.value(key), path: [key])
    }

    private func decoder(_ key: Key) throws -> PayloadDecoder {
        PayloadDecoder(value: try self.value(key), codingPath: [key])
    }

    func nestedContainer<N: CodingKey>(keyedBy type: N.Type, forKey key: Key) throws -> KeyedDecodingContainer<N> {
        try self.decoder(key).container(keyedBy: type)
    }

    func nestedUnkeyedContainer(forKey key: Key) throws -> any UnkeyedDecodingContainer {
        try self.decoder(key).unkeyedContainer()
    }

    func superDecoder() throws -> any Decoder {
        throw JobFailure("TypeError", "a payload cannot be a class with a superclass", isPermanent: true)
    }

    func superDecoder(forKey key: Key) throws -> any Decoder { try self.decoder(key) }
}
