/// The conditions of a request for a file (RFC 9110 §13), in the order that §13.2.2 gives them. A value without I/O.
struct FileConditions: Equatable, Sendable {
    enum Verdict: Equatable, Sendable {
        case send
        /// 304
        case notModified
        /// 412
        case failed
    }

    /// The fields' values; of repeated lists all, joined.
    var ifMatch: [UInt8]?
    var ifNoneMatch: [UInt8]?
    var ifModifiedSince: [UInt8]?
    var ifUnmodifiedSince: [UInt8]?
    var ifRange: [UInt8]?

    /// - Parameters:
    ///   - tag: the file's entity tag with its quotes, nil where none is sent.
    ///   - modified: the second of its last change.
    func verdict(tag: [UInt8]?, modified: Int64, check: StaticFiles.ModificationCheck) -> Verdict {
        if let ifMatch {
            guard Self.matches(ifMatch, tag, isWeak: false) else { return .failed }
        } else if let date = self.ifUnmodifiedSince.flatMap(HTTPDate.seconds) {
            guard date >= modified else { return .failed }
        }
        if let ifNoneMatch {
            return Self.matches(ifNoneMatch, tag, isWeak: true) ? .notModified : .send
        }
        guard check != .off, let date = self.ifModifiedSince.flatMap(HTTPDate.seconds) else { return .send }
        return date == modified || (check == .before && date > modified) ? .notModified : .send
    }

    /// Whether a range may be sent: the part that the client has is of the very same file (§13.1.5).
    func allowsRange(tag: [UInt8]?, modified: Int64) -> Bool {
        guard let ifRange else { return true }
        if ifRange.last == UInt8(ascii: "\"") { return ifRange == tag }
        return HTTPDate.seconds(ifRange) == modified
    }

    /// Whether a list of entity tags names this one. `*` names any. Compared weakly, `W/` makes no difference.
    private static func matches(_ list: [UInt8], _ tag: [UInt8]?, isWeak: Bool) -> Bool {
        if list == [UInt8(ascii: "*")] { return true }
        guard let tag else { return false }
        var index = 0
        while index < list.count {
            let byte = list[index]
            guard byte != UInt8(ascii: ","), !ByteClass.isBlank(byte) else {
                index += 1
                continue
            }
            let isMarkedWeak = byte == UInt8(ascii: "W") && index + 1 < list.count && list[index + 1] == UInt8(ascii: "/")
            let start = isMarkedWeak ? index + 2 : index
            guard start < list.count, list[start] == UInt8(ascii: "\""),
                let end = list[(start + 1)...].firstIndex(of: UInt8(ascii: "\""))
            else { return false }
            if isWeak || !isMarkedWeak, list[start...end].elementsEqual(tag) { return true }
            index = end + 1
        }
        return false
    }
}
