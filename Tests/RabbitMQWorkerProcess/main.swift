import Foundation
import QueueKit
import QueueKitRabbitMQ
import ScaleCore

// A worker in a process of its own, for tests that kill it.
//
//     RabbitMQWorkerProcess URL FILE
//
// Works off the queue until it is ended, and writes the number of each job into FILE, a line each.

struct Mark: Job {
    static let name = "test.mark"
    var number: Int
}

let arguments = CommandLine.arguments
guard arguments.count == 3 else {
    print("usage: RabbitMQWorkerProcess URL FILE")
    exit(64)
}
let descriptor = open(arguments[2], O_WRONLY | O_APPEND | O_CREAT, 0o600)
guard descriptor >= 0 else { exit(66) }

let queue = JobQueue(broker: try RabbitMQBroker(arguments[1]), results: MemoryResultStore())
let worker = Worker(queue, concurrency: 8) {
    $0.handle(Mark.self) { job, _ in
        let bytes = Array("\(job.number)\n".utf8)
        // So that there is a middle in which it can be killed.
        try await Task.sleep(for: .milliseconds(5))
        _ = write(descriptor, bytes, bytes.count)
    }
}
try await worker.run()
