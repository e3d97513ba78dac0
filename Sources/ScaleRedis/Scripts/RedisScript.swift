import Crypto
import ScaleCore

/// A Lua script that runs on the server, atomically.
///
/// It is sent by its digest; the text travels only when the server does not have it (after a restart, `SCRIPT FLUSH` or a failover).
/// Make it once, as a `static let`: the digest is computed here.
public struct RedisScript: Sendable, Hashable {
    public let source: String

    /// SHA-1 of the source in lower-case hexadecimal, which is the server's name for it.
    public let digest: String

    public init(_ source: String) {
        self.source = source
        self.digest = Insecure.SHA1.hash(data: Array(source.utf8)).map { byte in
            let text = String(byte, radix: 16)
            return byte < 16 ? "0" + text : text
        }.joined()
    }
}

extension RedisCommandSender {
    /// Runs a script: `EVALSHA`, and when the server does not know the script, once more by its text.
    ///
    /// A server that answers `NOSCRIPT` has executed nothing, so the second attempt never runs the script twice.
    ///
    /// - Parameters:
    ///   - keys: `KEYS` in the script: every key that it touches.
    ///   - arguments: `ARGV` in the script.
    /// - Throws: ``RedisError``, or `CancellationError`.
    @discardableResult
    public func evaluate(_ script: RedisScript, keys: [String] = [], arguments: [RedisArgument] = []) async throws -> RedisValue {
        let rest = [RedisArgument(keys.count)] + keys.map { RedisArgument($0) } + arguments
        do {
            return try await self.send(RedisCommand("EVALSHA", [RedisArgument(script.digest)] + rest))
        } catch let error as RedisError where error.serverError?.kind == "NOSCRIPT" {
            return try await self.send(RedisCommand("EVAL", [RedisArgument(script.source)] + rest))
        }
    }
}
