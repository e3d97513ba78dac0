import Foundation
import ScaleTesting

@testable import BalancerKitNginx

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#elseif canImport(Darwin)
import Darwin
#endif

/// The installed nginx with statements of `http` as they stand, for as long as a body runs.
enum RunningNginx {
    /// - Parameter text: what stands in `http`; or a whole file.
    static func with<Value>(_ text: String, isWhole: Bool = false, port: Int, _ body: () async throws -> Value) async throws -> Value {
        let scratch = try Scratch()
        let temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map { "\($0)_temp_path \(scratch.path)/\($0);" }
        let head = "worker_processes 1; pid \(scratch.path)/nginx.pid; error_log \(scratch.path)/error.log info; daemon off;"
        // A rendered file says nothing of its places.
        let whole =
            isWhole
            ? "daemon off; pid \(scratch.path)/nginx.pid; error_log \(scratch.path)/error.log info;\n"
                + text.replacingOccurrences(of: "http {", with: "http {\n" + temporary.joined(separator: " "))
            : "\(head) events {}\nhttp { access_log off; \(temporary.joined(separator: " "))\n\(text)\n}"
        let file = try scratch.write("nginx.conf", whole)
        let process = try ChildProcess(InstalledNginx.path, ["-p", scratch.path, "-c", file], errors: "\(scratch.path)/stderr")
        let result: Result<Value, any Error>
        do {
            try await eventually("nginx listens; it said \(Self.words(scratch))") {
                guard process.isRunning else { throw TestFailure("nginx has ended: \(Self.words(scratch))\n\(whole)") }
                guard let connection = try? await RawConnection.connect(port) else { return false }
                await connection.close()
                return true
            }
            result = .success(try await body())
        } catch {
            result = .failure(error)
        }
        process.signal(SIGTERM)
        _ = await process.status()
        return try result.get()
    }

    private static func words(_ scratch: Scratch) -> String {
        (try? String(contentsOfFile: "\(scratch.path)/stderr", encoding: .utf8)) ?? ""
    }
}
