import Foundation
import QueueKit

/// Messages and results as real Celery wrote them to RabbitMQ and Redis: `Tests/Interop/vectors.py` makes the file beside this one, and
/// a test there compares it with what the installed Celery writes.
enum CeleryVectors {
    /// A message that was sent: `plain`, `options`, `chain` or `values`.
    static func message(_ name: String) throws -> Message {
        guard let vector = try Self.file()["messages"]?.objectValue?[name]?.objectValue, let headers = vector["headers"]?.objectValue,
            let properties = vector["properties"]?.objectValue, let body = vector["body"]?.stringValue
        else { throw Missing(name: name) }
        return Message(headers: headers, properties: Message.Properties(json: properties), body: Array(body.utf8))
    }

    /// A result that was stored, by its state or what is particular to it.
    static func result(_ name: String) throws -> JSONValue {
        guard let text = try Self.file()["results"]?.objectValue?[name]?.stringValue else { throw Missing(name: name) }
        return try JSONParser.parse(text)
    }

    struct Missing: Error {
        var name: String
    }

    private static func file() throws -> JSONObject {
        let url = URL(fileURLWithPath: #filePath).deletingLastPathComponent().appendingPathComponent("celery.json")
        return try JSONParser.parse([UInt8](try Data(contentsOf: url))).objectValue ?? [:]
    }
}
