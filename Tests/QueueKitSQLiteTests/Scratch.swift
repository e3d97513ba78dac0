#if SQLite
import Foundation
import QueueKitSQLite
import ScaleCore
import ScaleTesting

/// A database file in a scratch directory that goes away with this object.
final class Scratch: Sendable {
    let directory: String
    var path: String { self.directory + "/jobs.sqlite" }

    init() throws {
        self.directory = NSTemporaryDirectory() + "queuekit-" + UUID().uuidString
        try FileManager.default.createDirectory(atPath: self.directory, withIntermediateDirectories: true)
    }

    deinit {
        try? FileManager.default.removeItem(atPath: self.directory)
    }

    func database(time: TimeSource = .system) throws -> SQLiteQueueDatabase {
        try SQLiteQueueDatabase(path: self.path, time: time)
    }
}
#endif
