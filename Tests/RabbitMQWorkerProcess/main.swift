import Foundation
import QueueKit
import QueueKitRabbitMQ
import ScaleCore

// A worker in a process of its own, for tests that kill it.
//
//     RabbitMQWorkerProcess URL FILE [LIMIT]
//
// Works off the queue until it is ended, and writes the number of each job into FILE, a line each. With LIMIT, so many jobs are done, and
// those that begin after that never end: however late it is killed, it is in the middle.

struct Mark: Job {
    static let name = "test.mark"
    var number: Int
}

let arguments = CommandLine.arguments
guard 3...4 ~= arguments.count else {
    print("usage: RabbitMQWorkerProcess URL FILE [LIMIT]")
    exit(64)
}
let descriptor = open(arguments[2], O_WRONLY | O_APPEND | O_CREAT, 0o600)
guard descriptor >= 0 else { exit(66) }

let left = Locked(arguments.count > 3 ? Int(arguments[3]) ?? 0 : .max)

let queue = JobQueue(broker: try RabbitMQBroker(arguments[1]), results: MemoryResultStore())
let worker = Worker(queue, concurrency: 8) {
    $0.handle(Mark.self) { job, _ in
        let bytes = Array("\(job.number)\n".utf8)
        let isOver = left.withLock { left in
            left -= 1
            return left < 0
        }
        if isOver { try await Task.sleep(for: .seconds(86_400)) }
        _ = write(descriptor, bytes, bytes.count)
    }
}
try await worker.run()
