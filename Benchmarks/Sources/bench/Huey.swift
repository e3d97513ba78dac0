import Foundation

/// A Python process that runs `Scripts/huey_rounds.py`: one line in with what to do, one line out with how long it took.
final class Huey {
    private struct Round: Decodable {
        var seconds: Double
        var run: Int
    }

    private let process = Process()
    private let input = Pipe()
    private let output = Pipe()

    init(python: String, file: String) throws {
        let script = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
            .appendingPathComponent("Scripts/huey_rounds.py").path
        guard FileManager.default.isExecutableFile(atPath: python) else {
            throw SQLiteRows.Failure(description: "there is no \(python): run Scripts/python")
        }
        self.process.executableURL = URL(fileURLWithPath: python)
        self.process.arguments = [script, file]
        self.process.standardInput = self.input
        self.process.standardOutput = self.output
        try self.process.run()
    }

    /// Blocks meanwhile: nothing else is measured at that time.
    func jobsPerSecond(count: Int, batch: Int) throws -> Double {
        self.input.fileHandleForWriting.write(Data("\(count) \(batch)\n".utf8))
        var line = Data()
        while line.last != UInt8(ascii: "\n") {
            let part = self.output.fileHandleForReading.availableData
            guard !part.isEmpty else { throw SQLiteRows.Failure(description: "huey has ended") }
            line += part
        }
        let round = try JSONDecoder().decode(Round.self, from: line)
        guard round.run == count, round.seconds > 0 else { throw SQLiteRows.Failure(description: "huey ran \(round.run) of \(count) jobs") }
        return Double(count) / round.seconds
    }

    func end() {
        try? self.input.fileHandleForWriting.close()
        self.process.waitUntilExit()
    }
}
