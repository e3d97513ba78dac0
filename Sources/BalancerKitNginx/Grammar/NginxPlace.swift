/// A line of a configuration file.
public struct NginxPlace: Hashable, Sendable, CustomStringConvertible {
    /// The file as it was opened.
    public var file: String
    /// Counted from 1.
    public var line: Int

    public init(file: String, line: Int) {
        self.file = file
        self.line = line
    }

    /// `FILE:LINE`, as in nginx's messages.
    public var description: String { "\(self.file):\(self.line)" }
}
