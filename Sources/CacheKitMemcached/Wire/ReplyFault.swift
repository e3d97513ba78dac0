/// What a server sent is not what it was asked for. Nothing of the connection can be believed from there on.
enum ReplyFault: Error, Hashable, Sendable {
    /// No reply of the protocol to this command.
    case foreign
    /// `ERROR`, `CLIENT_ERROR …` or `SERVER_ERROR …`: the server did not do it.
    case refused
    /// The refusal that names the size. A `set` has removed the old item then.
    case tooLarge
    /// The refusal that names the memory. A `set` has removed the old item then.
    case outOfMemory

    /// The fault that a line tells, without its end; `nil` when it is no refusal.
    ///
    /// The server's own words go no further than this: they may repeat what was sent.
    static func refusal(_ line: UnsafeRawBufferPointer) -> ReplyFault? {
        if line.elementsEqual("SERVER_ERROR object too large for cache".utf8) { return .tooLarge }
        if line.starts(with: "SERVER_ERROR out of memory storing object".utf8) { return .outOfMemory }
        for word in ["ERROR", "CLIENT_ERROR", "SERVER_ERROR"] where line.starts(with: word.utf8) {
            if line.count == word.utf8.count || line[word.utf8.count] == UInt8(ascii: " ") { return .refused }
        }
        return nil
    }
}
