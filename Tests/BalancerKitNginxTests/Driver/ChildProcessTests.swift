import Foundation
import ScaleTesting
import Testing

@testable import BalancerKitNginx

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#elseif canImport(Darwin)
import Darwin
#endif

@Suite struct ChildProcessTests {
    /// Runs a shell's words; returns how it ended and what it wrote to standard error.
    private static func shell(_ words: String) async throws -> (status: Int32, errors: String) {
        let file = NSTemporaryDirectory() + "child-\(UUID().uuidString)"
        defer { try? FileManager.default.removeItem(atPath: file) }
        let process = try ChildProcess("/bin/sh", ["-c", words], errors: file)
        let status = await process.status()
        #expect(!process.isRunning)
        return (status, try String(contentsOfFile: file, encoding: .utf8))
    }

    @Test func `its status is the exit code, or the number of the signal that ended it`() async throws {
        #expect(try await Self.shell("exit 0").status == 0)
        #expect(try await Self.shell("exit 7").status == 7)
        #expect(try await Self.shell("kill -9 $$").status == SIGKILL)
        let ended = try await Self.shell("echo one >&2; echo two; echo three >&2")
        #expect(ended.errors == "one\nthree\n")
    }

    @Test func `a program that cannot be run is named, and why`() throws {
        let file = NSTemporaryDirectory() + "child-\(UUID().uuidString)"
        defer { try? FileManager.default.removeItem(atPath: file) }
        let error = #expect(throws: NginxError.self) { try ChildProcess("/no/such/program", [], errors: file) }
        #expect(error?.code == .notStarted)
        #expect(error?.message.contains("/no/such/program") == true && error?.message.contains("No such file") == true)
        #expect(throws: NginxError.self) { try ChildProcess("/bin/sh", [], errors: "/no/such/directory/file") }
    }

    @Test func `a signal reaches it, and all who wait are told`() async throws {
        let file = NSTemporaryDirectory() + "child-\(UUID().uuidString)"
        defer { try? FileManager.default.removeItem(atPath: file) }
        let process = try ChildProcess("/bin/sh", ["-c", "trap 'exit 3' TERM; echo ready >&2; while :; do sleep 0.05; done"], errors: file)
        let waiting = (0..<3).map { _ in Task { await process.status() } }
        try await eventually("it listens to signals") { try String(contentsOfFile: file, encoding: .utf8) == "ready\n" }
        process.signal(SIGTERM)
        for task in waiting { #expect(await task.value == 3) }
        // Its id may be another's by now.
        process.signal(SIGKILL)
    }

    #if os(Linux)
    @Test func `it takes over neither open files nor blocked signals, however many files are open`() async throws {
        let file = NSTemporaryDirectory() + "ours-\(UUID().uuidString)"
        defer { try? FileManager.default.removeItem(atPath: file) }
        try "".write(toFile: file, atomically: false, encoding: .utf8)
        var limit = rlimit()
        try #require(getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0)
        limit.rlim_cur = max(limit.rlim_cur, min(limit.rlim_max, 4096))
        try #require(setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0)
        // Without close-on-exec, and more than Foundation's Process stands.
        let files = (0..<2000).map { _ in open(file, O_RDONLY) }
        defer { for file in files { close(file) } }
        try #require(files.allSatisfy { $0 >= 0 })
        let seen = try await Self.shell("ls -l /proc/$$/fd >&2; exec grep -E 'SigBlk|SigIgn' /proc/self/status >&2")
        #expect(seen.status == 0)
        #expect(!seen.errors.contains(file))
        #expect(seen.errors.contains("SigBlk:\t0000000000000000"))
        // 32 and 33 are the C library's own, which it ignores in whatever it spawns.
        let ignored = try #require(seen.errors.split(separator: "SigIgn:\t").last.flatMap { UInt64($0.prefix(16), radix: 16) })
        #expect(ignored & ~0x1_8000_0000 == 0)
    }
    #endif
}
