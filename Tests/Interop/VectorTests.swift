import Foundation
import QueueKit
import ScaleTesting
import TestServers
import Testing

@Suite(.enabled(if: Python.isInstalled, "needs RabbitMQ, Redis and Scripts/python"))
struct VectorTests {
    @Test func `the golden vectors are what the installed Celery writes`() async throws {
        try await RabbitMQVirtualHost.with { host in
            let python = try Python.start(script: "vectors.py", host: host)
            try await eventually(within: .seconds(90), "they are written") { !python.isRunning }
            let line = python.output.split(separator: "\n").first { $0.hasPrefix("vectors ") }
            let text = try require(line?.dropFirst("vectors ".count), "vectors; Python wrote: \(python.output.suffix(2000))")
            let written = try JSONParser.parse(String(text))
            let file = Python.folder.deletingLastPathComponent().appendingPathComponent("QueueKitTests/Vectors/celery.json")
            let committed = try JSONParser.parse([UInt8](try Data(contentsOf: file)))
            for part in ["messages", "results"] {
                let (ours, theirs) = (committed.objectValue?[part]?.objectValue, written.objectValue?[part]?.objectValue)
                #expect(ours?.isEmpty == false && ours?.keys == theirs?.keys)
                for name in ours?.keys ?? [] { #expect(ours?[name] == theirs?[name], "\(part): \(name)") }
            }
        }
    }
}
