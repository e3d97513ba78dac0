#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#elseif canImport(Darwin)
import Darwin
#endif

/// The multi-get to one server: `gets key key …`, and where in it each key stands.
struct ItemsQuestion: Sendable {
    private(set) var bytes: [UInt8] = Array("gets".utf8)
    private(set) var keys: [Range<Int>] = []

    mutating func append(_ name: String) {
        self.bytes.append(0x20)
        let start = self.bytes.count
        self.bytes.append(contentsOf: name.utf8)
        self.keys.append(start..<self.bytes.count)
    }

    /// To be called once, after the last key.
    mutating func end() {
        self.bytes.append(0x0D)
        self.bytes.append(0x0A)
    }
}

/// The reply to a multi-get, read as it comes: `VALUE key flags length number`, the value, … `END`.
///
/// Nothing is taken that was not asked for, no item twice, and no number that is none. Servers reply in the order of the question and leave
/// out what they do not have; those behind a proxy may reply in another order.
struct ItemsReply: Sendable {
    /// What came for each key of the question. That nothing came says that there is nothing only once the reply is complete.
    private(set) var items: [StoredItem?]
    private(set) var isComplete = false
    private let question: ItemsQuestion
    private let maximumLength: Int
    private let connection: UInt64
    /// The key behind the last one that came.
    private var next = 0

    /// - Parameters:
    ///   - maximumLength: the longest value that the server can have, in bytes.
    ///   - connection: by which the reply comes; see ``StoredItem/connection``.
    init(to question: ItemsQuestion, maximumLength: Int, connection: UInt64) {
        self.question = question
        self.maximumLength = maximumLength
        self.connection = connection
        self.items = Array(repeating: nil, count: question.keys.count)
    }

    /// Takes what is whole of `bytes`, which follow what was taken before; how many it has taken.
    ///
    /// - Throws: what is wrong with the reply. Bytes behind its end are wrong too: nobody has asked for them.
    mutating func take(_ bytes: UnsafeRawBufferPointer) throws(ReplyFault) -> Int {
        var taken = 0
        while !self.isComplete {
            let rest = UnsafeRawBufferPointer(rebasing: bytes[taken...])
            guard let length = try ReplyLine.length(rest) else { return taken }
            let line = UnsafeRawBufferPointer(rebasing: rest[..<length])
            if line.elementsEqual("END".utf8) {
                self.isComplete = true
                taken += length + 2
                continue
            }
            if let refusal = ReplyFault.refusal(line) { throw refusal }
            guard let end = try self.takeItem(line, rest) else { return taken }
            taken += end
        }
        guard taken == bytes.count else { throw .foreign }
        return taken
    }

    /// Takes the item whose head is `line`, the first of `rest`; its length with head and end, `nil` when it has not all come.
    private mutating func takeItem(_ line: UnsafeRawBufferPointer, _ rest: UnsafeRawBufferPointer) throws(ReplyFault) -> Int? {
        let word = "VALUE ".utf8.count
        guard line.count > word, line.starts(with: "VALUE ".utf8) else { throw .foreign }
        guard let keyEnd = line[word...].firstIndex(of: 0x20) else { throw .foreign }
        let position = try self.position(of: UnsafeRawBufferPointer(rebasing: line[word..<keyEnd]))
        var cursor = keyEnd + 1
        guard let flags = UInt32(exactly: try ReplyLine.decimal(line, &cursor)),
            let length = Int(exactly: try ReplyLine.decimal(line, &cursor)), length <= self.maximumLength
        else { throw .foreign }
        let number = try ReplyLine.decimal(line, &cursor)
        guard cursor == line.count, line[line.count - 1] != 0x20 else { throw .foreign }
        let start = line.count + 2
        guard rest.count - start >= length + 2 else { return nil }
        guard rest[start + length] == 0x0D, rest[start + length + 1] == 0x0A else { throw .foreign }
        let value = UnsafeRawBufferPointer(rebasing: rest[start..<(start + length)])
        self.items[position] = StoredItem(bytes: Array(value), flags: flags, number: number, connection: self.connection)
        self.next = position + 1
        return start + length + 2
    }

    private func position(of key: UnsafeRawBufferPointer) throws(ReplyFault) -> Int {
        let count = self.question.keys.count
        let found = self.question.bytes.withUnsafeBytes { asked -> Int? in
            guard let start = key.baseAddress, let askedStart = asked.baseAddress else { return nil }
            for step in 0..<count {
                let position = self.next + step < count ? self.next + step : self.next + step - count
                let range = self.question.keys[position]
                if range.count == key.count, memcmp(start, askedStart + range.lowerBound, key.count) == 0 { return position }
            }
            return nil
        }
        guard let found, self.items[found] == nil else { throw .foreign }
        return found
    }
}
