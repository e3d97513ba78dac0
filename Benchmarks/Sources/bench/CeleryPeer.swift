import Foundation

/// Real Celery as child processes that measure themselves; see `Benchmarks/Celery/celery_peer.py`.
struct CeleryPeer {
    let python: String
    let url: String
    let queue: String

    private static let script = URL(fileURLWithPath: #filePath)
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
        .appendingPathComponent("Celery/celery_peer.py").path

    /// Calls of `apply_async` per second.
    func publish(_ count: Int, length: Int) throws -> Double {
        let output = try Shell.run(self.python, [Self.script, "publish", self.url, self.queue, "\(count)", "\(length)"])
        return try Self.figure(output)
    }

    /// Jobs per second of a worker with two processes, over `count` jobs that are in the queue already.
    func work(_ count: Int) throws -> Double {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: self.python)
        process.arguments = [Self.script, "work", self.url, self.queue, "\(count)"]
        let output = Pipe()
        process.standardOutput = output
        process.standardError = FileHandle.nullDevice
        try process.run()
        defer {
            process.terminate()
            process.waitUntilExit()
        }
        // The line comes with the last job; a worker that ends instead ends the output.
        var text = ""
        while Self.line(of: text) == nil {
            let piece = output.fileHandleForReading.availableData
            if piece.isEmpty { break }
            text += String(decoding: piece, as: UTF8.self)
        }
        return try Self.figure(text)
    }

    /// The whole line that holds the figure, among what Celery prints of itself.
    private static func line(of output: String) -> Substring? {
        output.split(separator: "\n", omittingEmptySubsequences: false).dropLast().first { $0.hasPrefix("rate ") }
    }

    private static func figure(_ output: String) throws -> Double {
        guard let line = Self.line(of: output), let value = Double(line.dropFirst(5)), value > 0 else {
            throw RabbitMQRows.Failure(description: "Celery printed no figure")
        }
        return value
    }
}
