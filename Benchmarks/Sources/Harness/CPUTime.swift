import Foundation

#if canImport(Glibc)
import Glibc
#elseif canImport(Darwin)
import Darwin
#endif

/// Processor time, user and system together, in seconds.
public enum CPUTime {
    /// Of this process.
    public static var ofThisProcess: Double {
        // Not by getrusage, whose constants have another type in Glibc's module than its function takes.
        var time = timespec()
        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time)
        return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
    }

    /// Of another process, from `/proc/<pid>/stat` (in ticks of 10 ms as a rule); nil where there is none.
    public static func of(process id: Int32) -> Double? {
        guard let text = try? String(contentsOfFile: "/proc/\(id)/stat", encoding: .utf8),
            // The name in parentheses may hold spaces: fields are counted from its end.
            let end = text.lastIndex(of: ")")
        else { return nil }
        let fields = text[text.index(after: end)...].split(separator: " ")
        guard fields.count > 12, let user = Double(fields[11]), let system = Double(fields[12]) else { return nil }
        return (user + system) / Double(sysconf(Int32(_SC_CLK_TCK)))
    }

    /// What `body` costs this process, per operation.
    public static func perOperation(_ operations: Int, _ body: () async throws -> Void) async throws -> Double {
        let start = Self.ofThisProcess
        try await body()
        return (Self.ofThisProcess - start) / Double(operations)
    }
}
