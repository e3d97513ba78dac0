import Foundation

@testable import BalancerKitNginx

/// The nginx of this machine, asked for its verdict on files.
struct InstalledNginx {
    static let path = "/usr/sbin/nginx"
    static let isInstalled = FileManager.default.isExecutableFile(atPath: Self.path)

    /// The message of `nginx -t` at level emerg, without its prefix; nil when it accepts the file.
    static func complaint(about configuration: String, prefix: String) throws -> String? {
        let file = NSTemporaryDirectory() + "nginx-verdict-\(UUID().uuidString)"
        defer { try? FileManager.default.removeItem(atPath: file) }
        let process = try Spawning.start(Self.path, ["-t", "-q", "-c", configuration, "-p", prefix], errors: file)
        Spawning.waitForEnd(of: process)
        guard Spawning.reap(process) != 0 else { return nil }
        let words = String(decoding: try Data(contentsOf: URL(fileURLWithPath: file)), as: UTF8.self)
        let output = words.components(separatedBy: "\nnginx: configuration file")[0]
        let message = output.components(separatedBy: "[emerg] ").last ?? output
        // With a log of its own it tells its process and thread: `17#17: `.
        let afterNumbers = message.drop { $0.isNumber || $0 == "#" }
        return message.first?.isNumber == true && afterNumbers.hasPrefix(": ") ? String(afterNumbers.dropFirst(2)) : message
    }
}

/// A directory that is gone with this object.
final class Scratch {
    let path: String

    init() throws {
        let url = FileManager.default.temporaryDirectory.appendingPathComponent("scalekit-nginx-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
        self.path = url.path
    }

    deinit {
        try? FileManager.default.removeItem(atPath: self.path)
    }

    @discardableResult
    func write(_ name: String, _ bytes: some Sequence<UInt8>) throws -> String {
        let file = "\(self.path)/\(name)"
        try FileManager.default.createDirectory(
            atPath: (file as NSString).deletingLastPathComponent, withIntermediateDirectories: true)
        try Data(bytes).write(to: URL(fileURLWithPath: file))
        return file
    }

    @discardableResult
    func write(_ name: String, _ text: String) throws -> String {
        try self.write(name, Array(text.utf8))
    }
}
