import ScaleCore

/// Proof of an invalidation. A read that carries it sees the change, on any node.
///
/// Such a read goes to the store, takes no value that was loaded for an earlier caller, and waits for a load that is under way instead of
/// joining it. A fence is a value: it may travel in a message to another process of the same code.
public struct CacheFence: Hashable, Sendable, Codable {
    /// Names this invalidation.
    let id: UInt64
    /// What was invalidated.
    let targets: [InvalidationTarget]
}

/// A key or a tag of a namespace, by its bytes.
enum InvalidationTarget: Hashable, Sendable, Codable {
    case key(String)
    /// The empty name is the whole namespace.
    case tag(String)

    static func == (left: InvalidationTarget, right: InvalidationTarget) -> Bool {
        switch (left, right) {
        case (.key(let name), .key(let other)), (.tag(let name), .tag(let other)): name.hasSameBytes(as: other)
        case (.key, .tag), (.tag, .key): false
        }
    }

    func hash(into hasher: inout Hasher) {
        switch self {
        case .key(let name), .tag(let name): name.hashBytes(into: &hasher)
        }
    }
}
