import HTTPTypes
import Hummingbird
import NIOCore

/// The body of a request as a JSON object of at most 64 KiB.
enum JSONBody {
    static let maximumBytes = 64 * 1024

    /// - Throws: `HTTPFailure` 415, 413 or 400, in this order.
    static func read(_ request: Request) async throws -> JSONFields {
        guard Self.isJSON(request.headers[.contentType]) else {
            throw HTTPFailure(.unsupportedMediaType, "the content type must be application/json", headers: [.connection: "close"])
        }
        return try JSONFields(parsing: try await Self.collect(request).readableBytesView)
    }

    /// `application/json`, in any case, with or without parameters.
    static func isJSON(_ contentType: String?) -> Bool {
        guard let type = contentType?.split(separator: ";", maxSplits: 1, omittingEmptySubsequences: false).first else { return false }
        let essence = type.drop(while: Self.isBlank).reversed().drop(while: Self.isBlank).reversed()
        return String(essence).lowercased() == "application/json"
    }

    private static func isBlank(_ character: Character) -> Bool { character == " " || character == "\t" }

    /// Reads up to the limit and refuses as soon as it is passed, without waiting for the rest.
    private static func collect(_ request: Request) async throws -> ByteBuffer {
        if let length = request.headers[.contentLength].flatMap({ Int($0) }), length > Self.maximumBytes { throw Self.tooLarge }
        var body = ByteBuffer()
        do {
            for try await var part in request.body {
                guard body.readableBytes + part.readableBytes <= Self.maximumBytes else { throw Self.tooLarge }
                body.writeBuffer(&part)
            }
        } catch let failure as HTTPFailure {
            throw failure
        } catch let ending as CancellationError {
            throw ending
        } catch {
            // Chunks that are none, or a client that has gone: its fault, and not the service's.
            throw HTTPFailure(.badRequest, "the body did not come to its end", headers: [.connection: "close"])
        }
        return body
    }

    private static var tooLarge: HTTPFailure {
        HTTPFailure(.contentTooLarge, "the body is longer than 64 KiB", headers: [.connection: "close"])
    }
}
