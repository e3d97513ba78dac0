/// A command and its arguments, as `RedisCommand("SET", [.init(key), .init(bytes), "PX", 300])`.
///
/// Any command of the server can be sent by name. Its description shows the name and never the arguments.
public struct RedisCommand: Sendable, Hashable, CustomStringConvertible {
    /// The command's name; case does not matter to the server.
    public var name: String

    public var arguments: [RedisArgument]

    public init(_ name: String, _ arguments: [RedisArgument] = []) {
        self.name = name
        self.arguments = arguments
    }

    public var description: String {
        "\(self.name) (\(self.arguments.count) arguments)"
    }
}
