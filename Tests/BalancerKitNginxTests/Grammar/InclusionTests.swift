import Foundation
import Testing

@testable import BalancerKitNginx

@Suite struct InclusionTests {
    private static func read(_ scratch: Scratch, _ text: String) throws(NginxError) -> NginxSyntaxTree {
        try NginxConfiguration.checkedSyntax(Array(text.utf8), file: "\(scratch.path)/main.conf", context: .http, prefix: nil)
    }

    @Test func `a mask brings its files in the order of their names, and may bring none`() throws {
        let scratch = try Scratch()
        try scratch.write("conf.d/b.conf", "upstream b { server 127.0.0.1:2; }")
        try scratch.write("conf.d/a.conf", "# first\nupstream a { server 127.0.0.1:1; }")
        let tree = try Self.read(scratch, "include conf.d/*.conf; include none/*.conf;")
        #expect(
            tree.statements().map { tree.nodes[$0].words.map(\.text).joined(separator: " ") }
                == ["include conf.d/*.conf", "upstream a", "upstream b", "include none/*.conf"])
        #expect(tree.nodes.first { $0.name == "upstream" }?.place == NginxPlace(file: "\(scratch.path)/conf.d/a.conf", line: 2))
    }

    @Test func `a file is read into the block that includes it`() throws {
        let scratch = try Scratch()
        try scratch.write("servers", "server 127.0.0.1:1;\nserver 127.0.0.1:2;")
        let tree = try Self.read(scratch, "upstream a { include servers; }")
        #expect(tree.statements(in: 0).map { tree.nodes[$0].name } == ["include", "server", "server"])
        #expect(tree.nodes.filter { $0.name == "server" }.count == 2)
        #expect(tree.nodes.indices.filter { tree.nodes[$0].name == "server" }.allSatisfy { tree.block(around: $0) == 0 })
    }

    @Test func `a name without mask must be there`() throws {
        let scratch = try Scratch()
        let error = #expect(throws: NginxError.self) { try Self.read(scratch, "\ninclude nothing;") }
        #expect(error?.code == .unreadable)
        #expect(
            error?.description
                == "open() \"\(scratch.path)/nothing\" failed (2: No such file or directory) in \(scratch.path)/main.conf:2")
    }

    @Test func `what is no regular file is refused and not waited for, and a link to one is read`() throws {
        let scratch = try Scratch()
        #expect(mkfifo("\(scratch.path)/fifo", 0o600) == 0)
        for name in ["\(scratch.path)/fifo", "/dev/null"] {
            let error = #expect(throws: NginxError.self) { try Self.read(scratch, "\ninclude \(name);") }
            #expect(error?.code == .unreadable && error?.place?.line == 2)
            #expect(error?.message == "\"\(name)\" is not a regular file")
        }
        try scratch.write("file", "upstream a { server 127.0.0.1:1; }")
        #expect(symlink("\(scratch.path)/file", "\(scratch.path)/link") == 0)
        #expect(try Self.read(scratch, "include link;").nodes.contains { $0.name == "upstream" })
    }

    @Test func `files that include each other are refused`() throws {
        let scratch = try Scratch()
        try scratch.write("a", "include b;")
        try scratch.write("b", "\ninclude a;")
        let error = #expect(throws: NginxError.self) { try Self.read(scratch, "include a;") }
        #expect(error?.code == .tooLarge)
        #expect(error?.place == NginxPlace(file: "\(scratch.path)/b", line: 2))
    }

    @Test func `files that include ever more are refused`() throws {
        let scratch = try Scratch()
        for number in 0..<20 { try scratch.write("f\(number)", "include f\(number + 1); include f\(number + 1);") }
        try scratch.write("f20", "")
        let error = #expect(throws: NginxError.self) { try Self.read(scratch, "include f0;") }
        #expect(error?.code == .tooLarge)
        for number in 0..<80 { try scratch.write("g\(number)", "include g\(number + 1);") }
        #expect(throws: NginxError.self) { try Self.read(scratch, "include g0;") }
    }

    @Test func `a block ends in the file in which it began`() throws {
        let scratch = try Scratch()
        try scratch.write("open", "upstream a { server 127.0.0.1;")
        try scratch.write("close", "server 127.0.0.1; }")
        let open = #expect(throws: NginxError.self) { try Self.read(scratch, "include open; }") }
        #expect(open?.message == #"unexpected end of file, expecting "}""#)
        let close = #expect(throws: NginxError.self) { try Self.read(scratch, "upstream a { include close;") }
        #expect(close?.message == #"unexpected "}""#)
    }
}
