import ScaleTesting
import Testing

@testable import ScaleCore

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#elseif canImport(Darwin)
import Darwin
#endif

@Suite struct ThreadExecutorTests {
    @Test func `an actor's calls all run on one thread, which is nobody else's`() async throws {
        let handle = try Handle()
        var threads: Set<UInt> = []
        for _ in 0..<20 { threads.insert(await handle.thread()) }
        #expect(threads.count == 1)
        #expect(try await Handle().thread() != threads.first)
        // The first thread is still there: the identifier of one that has ended may be given to the next.
        #expect(await handle.thread() == threads.first)
    }

    @Test func `calls of many tasks at once are run one by one, and none is lost`() async throws {
        let handle = try Handle()
        await withTaskGroup(of: Void.self) { group in
            for _ in 0..<500 { group.addTask { await handle.count() } }
        }
        #expect(await handle.counted == 500)
    }

    @Test func `work that blocks the thread blocks nobody else`() async throws {
        let handle = try Handle()
        let pipe = try Pipe()
        async let byte = handle.readBlocking(pipe.read)
        // More than the cooperative pool has threads: it would stand still if one were blocked per call.
        for _ in 0..<50 { await Task.yield() }
        pipe.put(7)
        #expect(await byte == 7)
    }

    @Test func `the handler of a watch runs on the thread, as often as there is something to read`() async throws {
        let handle = try Handle()
        let pipe = try Pipe()
        await handle.watch(pipe)
        for byte in UInt8(1)...3 {
            pipe.put(byte)
            try await eventually("byte \(byte) is read") { await handle.bytes.last == byte }
        }
        #expect(await handle.bytes == [1, 2, 3])
    }

    @Test func `a watch's deadline is told once, without anything to read`() async throws {
        let handle = try Handle()
        let pipe = try Pipe()
        await handle.watch(pipe, until: TimeSource.system.now().advanced(by: .milliseconds(1)))
        try await eventually("the deadline is told") { await handle.deadlines == 1 }
        pipe.put(9)
        try await eventually("the watch goes on") { await handle.bytes == [9] }
        #expect(await handle.deadlines == 1)
    }

    @Test func `a watch that is withdrawn calls no more`() async throws {
        let handle = try Handle()
        let pipe = try Pipe()
        await handle.watch(pipe)
        await handle.unwatch()
        pipe.put(1)
        for _ in 0..<5 { _ = await handle.thread() }
        #expect(await handle.bytes == [])
    }

    @Test func `the thread ends when nobody needs it any more`() async throws {
        let ended = Gate("the thread's end")
        do {
            let handle = try Handle()
            await handle.atEndOfThread { ended.open() }
        }
        try await ended.pass()
    }

    @Test func `the caller's place is known`() async throws {
        let executor = try ThreadExecutor(name: "test")
        #expect(executor.isIsolatingCurrentContext() == false)
        #expect(await Handle(executor).isHere())
    }
}

/// A pipe of the test.
private final class Pipe: Sendable {
    let read: Int32
    private let write: Int32

    init() throws {
        var ends: [Int32] = [-1, -1]
        try #require(pipe(&ends) == 0)
        self.read = ends[0]
        self.write = ends[1]
    }

    deinit {
        close(self.read)
        close(self.write)
    }

    func put(_ byte: UInt8) {
        #if canImport(Glibc)
        _ = Glibc.write(self.write, [byte], 1)
        #elseif canImport(Musl)
        _ = Musl.write(self.write, [byte], 1)
        #else
        _ = Darwin.write(self.write, [byte], 1)
        #endif
    }
}

private func readByte(_ descriptor: Int32) -> UInt8? {
    var byte: UInt8 = 0
    return read(descriptor, &byte, 1) == 1 ? byte : nil
}

/// A handle that belongs to a thread.
private actor Handle {
    private nonisolated let executor: ThreadExecutor
    nonisolated var unownedExecutor: UnownedSerialExecutor { self.executor.asUnownedSerialExecutor() }
    private(set) var counted = 0
    private(set) var bytes: [UInt8] = []
    private(set) var deadlines = 0

    init() throws {
        self.executor = try ThreadExecutor(name: "test")
    }

    init(_ executor: ThreadExecutor) {
        self.executor = executor
    }

    func thread() -> UInt { UInt(bitPattern: pthread_self().hashValue) }

    func count() { self.counted += 1 }

    func readBlocking(_ descriptor: Int32) -> UInt8? { readByte(descriptor) }

    func isHere() -> Bool { self.executor.isIsolatingCurrentContext() == true }

    func watch(_ pipe: Pipe, until deadline: Instant? = nil) {
        self.executor.watch(
            ThreadWatch(descriptor: pipe.read, deadline: deadline) { [weak self] event in
                self?.assumeIsolated { handle in
                    switch event {
                    case .ready: if let byte = readByte(pipe.read) { handle.bytes.append(byte) }
                    case .deadline: handle.deadlines += 1
                    }
                }
            })
    }

    func unwatch() { self.executor.watch(nil) }

    /// Thread-specific data is destroyed when its thread ends.
    func atEndOfThread(_ body: @escaping @Sendable () -> Void) {
        var key = pthread_key_t()
        pthread_key_create(&key) { value in
            #if canImport(Darwin)
            Unmanaged<Ending>.fromOpaque(value).takeRetainedValue().body()
            #else
            if let value { Unmanaged<Ending>.fromOpaque(value).takeRetainedValue().body() }
            #endif
        }
        pthread_setspecific(key, Unmanaged.passRetained(Ending(body)).toOpaque())
    }
}

private final class Ending: Sendable {
    let body: @Sendable () -> Void

    init(_ body: @escaping @Sendable () -> Void) {
        self.body = body
    }
}
