import Foundation
import HTTPTypes
import Hummingbird
import NIOCore

/// A refusal with its status, answered as `{"error": message}`.
struct HTTPFailure: Error {
    var status: HTTPResponse.Status
    var message: String
    var headers: HTTPFields

    init(_ status: HTTPResponse.Status, _ message: String, headers: HTTPFields = [:]) {
        self.status = status
        self.message = message
        self.headers = headers
    }
}

extension HTTPFailure: HTTPResponseError {
    func response(from request: Request, context: some RequestContext) throws -> Response {
        Response.json(["error": self.message], status: self.status, headers: self.headers)
    }
}

extension InvalidFields: HTTPResponseError {
    var status: HTTPResponse.Status { .unprocessableContent }

    func response(from request: Request, context: some RequestContext) throws -> Response {
        Response.json(["errors": self.reasons], status: self.status)
    }
}

extension Response {
    /// A JSON answer with its length.
    static func json(_ value: some Encodable, status: HTTPResponse.Status = .ok, headers: HTTPFields = [:]) -> Response {
        // Encoding fails only for values that JSON has no form for, such as NaN; no type of this service holds one.
        let bytes = (try? JSONBytes.encode(value)) ?? []
        return .json(bytes: bytes, status: status, headers: headers)
    }

    static func json(bytes: [UInt8], status: HTTPResponse.Status = .ok, headers: HTTPFields = [:]) -> Response {
        var headers = headers
        headers[.contentType] = "application/json"
        return Response(status: status, headers: headers, body: .init(byteBuffer: ByteBuffer(bytes: bytes)))
    }
}

/// How this service writes JSON: keys in order, so that equal values are equal bytes.
enum JSONBytes {
    static func encode(_ value: some Encodable) throws -> [UInt8] {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        return [UInt8](try encoder.encode(value))
    }
}
