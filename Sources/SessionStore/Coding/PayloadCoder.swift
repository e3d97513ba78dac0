#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// A payload as bytes: JSON with sorted keys, so that equal payloads give equal bytes and an unchanged session is recognized.
struct PayloadCoder<Payload: Codable & Sendable>: Sendable {
    let maximumSize: Int

    func encode(_ payload: Payload) throws(SessionError) -> [UInt8] {
        let bytes: [UInt8]
        do {
            let encoder = JSONEncoder()
            encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
            bytes = Array(try encoder.encode(payload))
        } catch {
            // The encoder's own error quotes values.
            throw SessionError(code: .payloadNotEncodable, message: "a session payload of type \(Payload.self) could not be encoded")
        }
        guard bytes.count <= self.maximumSize else {
            throw SessionError(
                code: .payloadTooLarge,
                message: "the session payload is \(bytes.count) bytes when encoded; the limit is \(self.maximumSize)")
        }
        return bytes
    }

    /// Nil when the bytes are not such a payload: written by another version of the program, or damaged.
    func decode(_ bytes: [UInt8]) -> Payload? {
        try? JSONDecoder().decode(Payload.self, from: Data(bytes))
    }
}
