import Foundation
import Programs
import Testing

private let site = """
    upstream app { server 127.0.0.1:9; }
    server {
        listen 80;
        gzip on;
        location / { proxy_pass http://app; proxy_set_header Host $host; proxy_buffering on; }
    }
    """

/// Whole files that nginx refuses, in its words. The place is line 2.
let refusedFiles: [(text: String, words: String)] = [
    ("\nproxy_pas http://a;", #"unknown directive "proxy_pas""#),
    ("events {} http {\nlisten 80; }", #""listen" directive is not allowed here"#),
    ("events {} http {\nsendfile; }", #"invalid number of arguments in "sendfile" directive"#),
    ("events {} http {\nsendfile maybe; }", #"invalid value "maybe" in "sendfile" directive, it must be "on" or "off""#),
    ("events {} http { sendfile on;\nsendfile on; }", #""sendfile" directive is duplicate"#),
    ("events {} http {\nserver;", #"directive "server" has no opening "{""#),
    ("events {} http {\n", #"unexpected end of file, expecting "}""#),
    ("events {}\n}", #"unexpected "}""#),
    ("events {}\n'a\nb", #"unexpected end of file, expecting ";" or "}""#),
]

@Suite struct CheckRules {
    @Test func `a good file is accepted, and each directive without effect is a line`() async throws {
        let program = try EdgeProxyProgram()
        let file = try program.file("site", site)
        let outcome = try await program.run("check", file, "--context", "http")
        #expect(outcome.status == 0 && outcome.errors.isEmpty, "\(outcome.errors)")
        let lines = outcome.output.split(separator: "\n")
        #expect(lines.first == "\(file): the configuration is accepted")
        #expect(lines.dropFirst().contains { $0 == "\(file):4: \"gzip\" has no effect here" }, "\(outcome.output)")
        #expect(lines.dropFirst().contains { $0.hasPrefix("\(file):5: \"proxy_buffering\" has no effect here") }, "\(outcome.output)")
    }

    @Test(arguments: refusedFiles.indices) func `a bad file is one line in nginx's words, and nginx's status`(index: Int) async throws {
        let (text, words) = refusedFiles[index]
        let program = try EdgeProxyProgram()
        let file = try program.file("nginx.conf", text)
        for command in ["check", "render", "run"] {
            let outcome = try await program.run(command, file)
            #expect(outcome.status == 1 && outcome.output.isEmpty, "\(command)")
            #expect(
                outcome.errors.split(separator: "\n").count == 1 && outcome.errors.hasPrefix("Error: \(words) in \(file):"),
                "\(outcome.errors)")
        }
        let verdict = try await InstalledNginx.verdict(on: file, prefix: program.directory.path)
        #expect(verdict.status == 1 && verdict.errors.contains("\(words) in \(file):"), "\(verdict.errors)")
    }

    @Test func `what only the embedded proxy cannot do is refused by every command, with its place`() async throws {
        let program = try EdgeProxyProgram()
        let file = try program.file("site", "server {\nlocation / { fastcgi_pass 127.0.0.1:9000; } }")
        for command in ["check", "render", "run"] {
            let outcome = try await program.run(command, file, "--context", "http")
            #expect(outcome.status == 1 && outcome.output.isEmpty, "\(command)")
            #expect(outcome.errors == "Error: \"fastcgi_pass\" is not supported by the embedded proxy in \(file):2\n")
        }
    }

    @Test func `a fragment is no whole file, and a whole file no fragment`() async throws {
        let program = try EdgeProxyProgram()
        let fragment = try await program.run("check", try program.file("site", site))
        #expect(fragment.status == 1 && fragment.errors.contains(#""upstream" directive is not allowed here"#), "\(fragment.errors)")
        let whole = try await program.run("check", try program.file("nginx.conf", "events {} http { \(site) }"), "--context", "http")
        #expect(whole.status == 1 && whole.errors.contains(#""events" directive is not allowed here"#), "\(whole.errors)")
    }

    @Test func `what is no regular file is refused and not waited for, and a link to one is read`() async throws {
        let program = try EdgeProxyProgram()
        let fifo = program.directory.appendingPathComponent("fifo").path
        #expect(mkfifo(fifo, 0o600) == 0)
        for command in ["check", "render", "run"] {
            let outcome = try await program.run(command, fifo)
            #expect(outcome.status == 1 && outcome.errors == "Error: \"\(fifo)\" is not a regular file\n", "\(command): \(outcome.errors)")
        }
        let including = try await program.run("check", try program.file("including", "include \(fifo);"), "--context", "http")
        #expect(including.status == 1 && including.errors.contains("\"\(fifo)\" is not a regular file in "), "\(including.errors)")
        let link = program.directory.appendingPathComponent("link").path
        try FileManager.default.createSymbolicLink(atPath: link, withDestinationPath: try program.file("site", site))
        #expect(try await program.run("check", link, "--context", "http").status == 0)
    }

    @Test func `names that hold control characters do not break a line`() async throws {
        let program = try EdgeProxyProgram()
        let outcome = try await program.run("check", try program.file("a\nb.conf", "\"x\ny\" 1;"))
        #expect(outcome.status == 1)
        #expect(
            outcome.errors.split(separator: "\n").count == 1 && outcome.errors.contains(#"unknown directive "x\ny""#), "\(outcome.errors)")
    }

    @Test(arguments: [[], ["check"], ["judge", "file"], ["check", "file", "--context", "stream"], ["run", "--listen"]])
    func `wrong usage is status 64`(arguments: [String]) async throws {
        let program = try EdgeProxyProgram()
        let outcome =
            switch arguments.count {
            case 0: try await program.run("--nothing")
            case 1: try await program.run(arguments[0])
            case 2: try await program.run(arguments[0], arguments[1])
            default: try await program.run(arguments[0], arguments[1], arguments[2], arguments.count > 3 ? arguments[3] : "")
            }
        #expect(outcome.status == 64)
    }

    @Test func `a file that cannot be read is said to be so`() async throws {
        let program = try EdgeProxyProgram()
        for command in ["check", "render", "run"] {
            let outcome = try await program.run(command, "/nonexistent/site")
            #expect(outcome.status == 1)
            #expect(outcome.errors == "Error: open() \"/nonexistent/site\" failed (2: No such file or directory)\n")
        }
    }
}
