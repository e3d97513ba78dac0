/// One word of a statement: what it means, and how it was written.
///
/// A word is bytes. nginx asks for no encoding, so none is lost.
public struct NginxWord: Hashable, Sendable {
    /// How a word stands in its file.
    public enum Quoting: Hashable, Sendable { case none, single, double }

    /// Its meaning: without its quotes, and `\" \' \\ \t \r \n` replaced by what they stand for.
    public var bytes: [UInt8]
    public var quoting: Quoting
    /// Where it begins.
    public var line: Int

    public init(bytes: [UInt8], quoting: Quoting = .none, line: Int = 0) {
        self.bytes = bytes
        self.quoting = quoting
        self.line = line
    }

    /// The word as text; what is no UTF-8 is replaced.
    public var text: String { String(decoding: self.bytes, as: UTF8.self) }
}

/// A comment, from `#` to the end of its line.
public struct NginxComment: Hashable, Sendable {
    /// With the `#`, without the end of the line.
    public var bytes: [UInt8]
    public var line: Int

    public init(bytes: [UInt8], line: Int) {
        self.bytes = bytes
        self.line = line
    }
}
