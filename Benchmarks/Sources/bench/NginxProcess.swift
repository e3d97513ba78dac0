import Foundation

/// An nginx of our own: one worker, everything in a scratch directory.
struct NginxProcess {
    private let process: Process
    private let directory: URL

    static func start(in scratch: URL, name: String, http: String) throws -> NginxProcess {
        let directory = scratch.appendingPathComponent(name)
        try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
        let temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map { "\($0)_temp_path \(directory.path)/\($0);" }
        let configuration = """
            daemon off;
            worker_processes 1;
            pid \(directory.path)/pid;
            error_log \(directory.path)/error.log;
            events { worker_connections 1024; }
            http {
                access_log off;
                \(temporary.joined(separator: "\n    "))
                \(http)
            }
            """
        let file = directory.appendingPathComponent("nginx.conf")
        try Data(configuration.utf8).write(to: file)
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/sbin/nginx")
        process.arguments = ["-p", directory.path, "-e", "\(directory.path)/error.log", "-c", file.path]
        try process.run()
        return NginxProcess(process: process, directory: directory)
    }

    /// The process id of its one worker.
    func worker() throws -> Int32 {
        let children = try Shell.run("cat", ["/proc/\(self.process.processIdentifier)/task/\(self.process.processIdentifier)/children"])
        guard let worker = children.split(separator: " ").first.flatMap({ Int32($0.trimmingCharacters(in: .whitespacesAndNewlines)) })
        else {
            throw ProxyRow.Failure(description: "nginx has no worker")
        }
        return worker
    }

    func stop() {
        self.process.terminate()
        self.process.waitUntilExit()
    }
}

/// Runs a program to its end.
enum Shell {
    /// - Returns: its standard output.
    /// - Throws: when it cannot be started or ends with another status than 0.
    @discardableResult
    static func run(_ program: String, _ arguments: [String]) throws -> String {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = [program] + arguments
        let output = Pipe()
        process.standardOutput = output
        process.standardError = FileHandle.nullDevice
        try process.run()
        let data = output.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        guard process.terminationStatus == 0 else {
            throw ProxyRow.Failure(description: "\(program) ended with \(process.terminationStatus)")
        }
        return String(decoding: data, as: UTF8.self)
    }
}
