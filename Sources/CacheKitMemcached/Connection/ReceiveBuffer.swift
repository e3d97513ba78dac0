/// What has come from a server and not been taken yet. It belongs to one connection, and that to one thread.
struct ReceiveBuffer: ~Copyable {
    private var memory: UnsafeMutableRawBufferPointer
    private var start = 0
    private var end = 0

    private static let usualSize = 65_536

    init() {
        self.memory = .allocate(byteCount: Self.usualSize, alignment: 16)
    }

    deinit {
        self.memory.deallocate()
    }

    var bytes: UnsafeRawBufferPointer { UnsafeRawBufferPointer(rebasing: self.memory[self.start..<self.end]) }

    /// Calls `body` with room for at least one byte; it says how many it has filled.
    mutating func fill(_ body: (UnsafeMutableRawBufferPointer) -> Int) -> Int {
        if self.end == self.memory.count { self.makeRoom() }
        let room = UnsafeMutableRawBufferPointer(rebasing: self.memory[self.end...])
        let count = body(room)
        if count > 0 { self.end += min(count, room.count) }
        return count
    }

    mutating func drop(_ count: Int) {
        self.start += min(count, self.end - self.start)
        if self.start == self.end { (self.start, self.end) = (0, 0) }
    }

    /// Forgets everything, and gives memory back that a large item has taken.
    mutating func clear() {
        (self.start, self.end) = (0, 0)
        guard self.memory.count > Self.usualSize else { return }
        self.memory.deallocate()
        self.memory = .allocate(byteCount: Self.usualSize, alignment: 16)
    }

    /// Moves what is there to the front; where that is more than half, doubles the memory.
    private mutating func makeRoom() {
        let count = self.end - self.start
        let isCrowded = count > self.memory.count / 2
        let target = isCrowded ? UnsafeMutableRawBufferPointer.allocate(byteCount: self.memory.count * 2, alignment: 16) : self.memory
        if count > 0, let from = self.memory.baseAddress, let to = target.baseAddress {
            to.copyMemory(from: from + self.start, byteCount: count)
        }
        if isCrowded {
            self.memory.deallocate()
            self.memory = target
        }
        (self.start, self.end) = (0, count)
    }
}
