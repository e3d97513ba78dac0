/// Why the service cannot start, in one line that names the flag, port or path and says what to do.
public struct StartError: Error, CustomStringConvertible, Sendable {
    public let description: String

    public init(_ description: String) {
        // One line, whatever the cause said.
        self.description = description.split(whereSeparator: \.isNewline).joined(separator: " ")
    }
}
