import Foundation

/// Waits until the machine has little else to do, since servers that have just been started or stopped, and files on their way to the disk, would
/// be measured as well.
public enum QuietMachine {
    /// Returns once all processors together were nine tenths idle for a second, or after half a minute.
    ///
    /// - Returns: whether it has become quiet; true where the system does not tell.
    public static func wait() async throws -> Bool {
        for _ in 0..<30 {
            guard let before = Self.ticks() else { return true }
            try await Task.sleep(for: .seconds(1))
            guard let after = Self.ticks() else { return true }
            let all = after.all - before.all
            if all > 0, (after.idle - before.idle) / all >= 0.9 { return true }
        }
        return false
    }

    /// Of all processors since the machine's start: all ticks, and the idle ones without those in which somebody waited for a disk.
    private static func ticks() -> (all: Double, idle: Double)? {
        guard let text = try? String(contentsOfFile: "/proc/stat", encoding: .utf8), let line = text.split(separator: "\n").first else {
            return nil
        }
        let fields = line.split(separator: " ").dropFirst().prefix(8).compactMap { Double($0) }
        guard fields.count == 8 else { return nil }
        return (fields.reduce(0, +), fields[3])
    }
}
