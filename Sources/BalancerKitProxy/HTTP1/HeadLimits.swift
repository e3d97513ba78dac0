/// The bounds within which a head is read. What lies beyond is refused while it arrives, not after it was stored.
struct HeadLimits: Sendable {
    /// Bytes of a request target; one more is 414.
    var targetLength = 8 << 10
    /// Bytes of all field lines together, line ends included, the closing empty line not; one more is 431.
    var headerLength = 32 << 10
    /// Field lines; one more is 431.
    var fieldCount = 200
    /// Empty lines before a request line, which RFC 9112 §2.2 asks servers to skip; one more is 400.
    var emptyLines = 4

    /// Bytes of a start line: a target, and room for a method and the version, or for a status and its reason.
    var startLineLength: Int { self.targetLength + 64 }
}
