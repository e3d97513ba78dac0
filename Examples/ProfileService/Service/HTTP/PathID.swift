import HTTPTypes

/// The id in a path: 1…9223372036854775807 in plain ASCII digits, without sign or leading zero.
enum PathID {
    /// - Throws: `HTTPFailure` 400 for anything else.
    static func parse(_ segment: Substring) throws(HTTPFailure) -> Int64 {
        let digits = segment.utf8
        guard let first = digits.first, (UInt8(ascii: "1")...UInt8(ascii: "9")).contains(first),
            digits.allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }),
            let id = Int64(segment)
        else { throw HTTPFailure(.badRequest, "the id in the path must be a number from 1 to 9223372036854775807") }
        return id
    }
}
