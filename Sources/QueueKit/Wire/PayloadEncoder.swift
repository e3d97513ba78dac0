/// Encodes a payload to a JSON value.
///
/// Keys keep the order in which the payload encodes them. What kombu wraps (dates, UUIDs, data, decimals) is wrapped.
struct PayloadEncoder {
    static func encode(_ value: some Encodable) throws -> JSONValue {
        let node = Node()
        try Self.encode(value, into: node, path: [])
        return node.value
    }

    fileprivate static func encode(_ value: some Encodable, into node: Node, path: [any CodingKey]) throws {
        if let value = value as? JSONValue {
            node.content = .leaf(value)
        } else if let wrapped = TypedValue.wrap(value) {
            node.content = .leaf(wrapped)
        } else {
            try value.encode(to: NodeEncoder(node: node, codingPath: path))
            // A value that encodes nothing is an empty object, as the payload of a job without arguments.
            if case .empty = node.content { node.content = .object([]) }
        }
    }
}

/// A place in the tree that grows while a value encodes itself.
private final class Node {
    enum Content {
        case empty
        case leaf(JSONValue)
        case array([Node])
        case object([(String, Node)])
    }

    var content = Content.empty

    var value: JSONValue {
        switch self.content {
        case .empty: .null
        case .leaf(let value): value
        case .array(let nodes): .array(nodes.map(\.value))
        case .object(let members): .object(JSONObject(members.map { ($0.0, $0.1.value) }))
        }
    }

    var count: Int {
        if case .array(let nodes) = self.content { nodes.count } else { 0 }
    }

    func member(_ key: String) -> Node {
        let node = Node()
        if case .object(var members) = self.content {
            self.content = .empty
            members.append((key, node))
            self.content = .object(members)
        } else {
            self.content = .object([(key, node)])
        }
        return node
    }

    func element() -> Node {
        let node = Node()
        if case .array(var nodes) = self.content {
            self.content = .empty
            nodes.append(node)
            self.content = .array(nodes)
        } else {
            self.content = .array([node])
        }
        return node
    }

    func becomeObject() {
        if case .object = self.content { return }
        self.content = .object([])
    }

    func becomeArray() {
        if case .array = self.content { return }
        self.content = .array([])
    }
}

private struct NodeEncoder: Encoder {
    let node: Node
    let codingPath: [any CodingKey]
    var userInfo: [CodingUserInfoKey: Any] { [:] }

    func container<Key: CodingKey>(keyedBy type: Key.Type) -> KeyedEncodingContainer<Key> {
        self.node.becomeObject()
        return KeyedEncodingContainer(KeyedContainer<Key>(node: self.node, codingPath: self.codingPath))
    }

    func unkeyedContainer() -> any UnkeyedEncodingContainer {
        self.node.becomeArray()
        return UnkeyedContainer(node: self.node, codingPath: self.codingPath)
    }

    func singleValueContainer() -> any SingleValueEncodingContainer {
        ScalarContainer(node: self.node, codingPath: self.codingPath)
    }
}

private struct KeyedContainer<Key: CodingKey>: KeyedEncodingContainerProtocol {
    let node: Node
    let codingPath: [any CodingKey]

    mutating func encodeNil(forKey key: Key) {
        self.node.member(key.stringValue).content = .leaf(.null)
    }

    // The kinds that most payloads consist of need none of the questions below.
    mutating func encode(_ value: Bool, forKey key: Key) { self.node.member(key.stringValue).content = .leaf(.bool(value)) }
    mutating func encode(_ value: String, forKey key: Key) { self.node.member(key.stringValue).content = .leaf(.string(value)) }
    mutating func encode(_ value: Double, forKey key: Key) { self.node.member(key.stringValue).content = .leaf(.double(value)) }
    mutating func encode(_ value: Int, forKey key: Key) { self.node.member(key.stringValue).content = .leaf(.integer(Int64(value))) }

    mutating func encode<T: Encodable>(_ value: T, forKey key: Key) throws {
        try PayloadEncoder.encode(value, into: self.node.member(key.stringValue), path: self.codingPath + [key])
    }

    mutating func nestedContainer<Nested: CodingKey>(keyedBy type: Nested.Type, forKey key: Key) -> KeyedEncodingContainer<Nested> {
        NodeEncoder(node: self.node.member(key.stringValue), codingPath: self.codingPath + [key]).container(keyedBy: type)
    }

    mutating func nestedUnkeyedContainer(forKey key: Key) -> any UnkeyedEncodingContainer {
        NodeEncoder(node: self.node.member(key.stringValue), codingPath: self.codingPath + [key]).unkeyedContainer()
    }

    mutating func superEncoder() -> any Encoder {
        NodeEncoder(node: self.node.member("super"), codingPath: self.codingPath)
    }

    mutating func superEncoder(forKey key: Key) -> any Encoder {
        NodeEncoder(node: self.node.member(key.stringValue), codingPath: self.codingPath + [key])
    }
}

private struct UnkeyedContainer: UnkeyedEncodingContainer {
    let node: Node
    let codingPath: [any CodingKey]
    var count: Int { self.node.count }

    mutating func encodeNil() {
        self.node.element().content = .leaf(.null)
    }

    mutating func encode<T: Encodable>(_ value: T) throws {
        try PayloadEncoder.encode(value, into: self.node.element(), path: self.codingPath)
    }

    mutating func nestedContainer<Nested: CodingKey>(keyedBy type: Nested.Type) -> KeyedEncodingContainer<Nested> {
        NodeEncoder(node: self.node.element(), codingPath: self.codingPath).container(keyedBy: type)
    }

    mutating func nestedUnkeyedContainer() -> any UnkeyedEncodingContainer {
        NodeEncoder(node: self.node.element(), codingPath: self.codingPath).unkeyedContainer()
    }

    mutating func superEncoder() -> any Encoder {
        NodeEncoder(node: self.node.element(), codingPath: self.codingPath)
    }
}

private struct ScalarContainer: SingleValueEncodingContainer {
    let node: Node
    let codingPath: [any CodingKey]

    mutating func encodeNil() { self.node.content = .leaf(.null) }
    mutating func encode(_ value: Bool) { self.node.content = .leaf(.bool(value)) }
    mutating func encode(_ value: String) { self.node.content = .leaf(.string(value)) }
    mutating func encode(_ value: Double) { self.node.content = .leaf(.double(value)) }
    mutating func encode(_ value: Float) { self.node.content = .leaf(.double(Double(value))) }
    mutating func encode(_ value: Int) { self.integer(value) }
    mutating func encode(_ value: Int8) { self.integer(value) }
    mutating func encode(_ value: Int16) { self.integer(value) }
    mutating func encode(_ value: Int32) { self.integer(value) }
    mutating func encode(_ value: Int64) { self.integer(value) }
    mutating func encode(_ value: Int128) { self.integer(value) }
    mutating func encode(_ value: UInt) { self.integer(value) }
    mutating func encode(_ value: UInt8) { self.integer(value) }
    mutating func encode(_ value: UInt16) { self.integer(value) }
    mutating func encode(_ value: UInt32) { self.integer(value) }
    mutating func encode(_ value: UInt64) { self.integer(value) }
    mutating func encode(_ value: UInt128) { self.integer(value) }

    mutating func encode<T: Encodable>(_ value: T) throws {
        try PayloadEncoder.encode(value, into: self.node, path: self.codingPath)
    }

    private func integer(_ value: some BinaryInteger) {
        self.node.content = .leaf(Int64(exactly: value).map(JSONValue.integer) ?? .bigInteger(String(value)))
    }
}
