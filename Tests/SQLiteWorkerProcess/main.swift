#if SQLite
import Foundation
import QueueKit
import QueueKitSQLite
import ScaleCore

// A worker in a process of its own, for tests that kill it or set it beside another one.
//
//     SQLiteWorkerProcess FILE DIRECTORY run|hang|relay
//
// `run` works off the queue until it is ended. For every job it makes a directory DIRECTORY/job-N, which fails if another process has
// it at this moment, and notes the run in DIRECTORY/runs. `hang` begins a job, notes that, and never ends it. `relay` moves the queue's
// messages to that of DIRECTORY/destination.sqlite.

struct Mark: Job {
    static let name = "test.mark"
    var number: Int
}

let arguments = CommandLine.arguments
guard arguments.count == 4 else {
    print("usage: SQLiteWorkerProcess FILE DIRECTORY run|hang|relay")
    exit(64)
}
let directory = arguments[2]
let hangs = arguments[3] == "hang"

@Sendable func note(_ line: String) {
    let descriptor = open(directory + "/runs", O_WRONLY | O_APPEND | O_CREAT, 0o600)
    guard descriptor >= 0 else { return }
    let bytes = Array((line + "\n").utf8)
    _ = write(descriptor, bytes, bytes.count)
    close(descriptor)
}

if arguments[3] == "relay" {
    var configuration = OutboxRelay.Configuration()
    // No longer than a test has to wait for it after each kill, and longer than a slow machine lets a process stand.
    configuration.lease = .seconds(3)
    configuration.batch = 20
    let source = SQLiteBroker(try SQLiteQueueDatabase(path: arguments[1]))
    let destination = SQLiteBroker(try SQLiteQueueDatabase(path: directory + "/destination.sqlite"))
    try await OutboxRelay(from: source, to: destination, queues: ["celery"], configuration: configuration).run()
    exit(0)
}

var configuration = Worker.Configuration()
configuration.lease = .seconds(hangs ? 5 : 30)
let queue = JobQueue(sqlite: try SQLiteQueueDatabase(path: arguments[1]))
let worker = Worker(queue, concurrency: hangs ? 1 : 4, configuration: configuration) {
    $0.handle(Mark.self) { job, context in
        let path = directory + "/job-\(job.number)"
        note(mkdir(path, 0o700) == 0 ? "begin \(job.number) losses \(context.losses)" : "overlap \(job.number)")
        if hangs { try await Task.sleep(for: .seconds(3600)) }
        await Task.yield()
        rmdir(path)
        note("end \(job.number)")
    }
}
try await worker.run()
#endif
