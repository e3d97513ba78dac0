import Foundation
import ScaleTesting
import Testing

@testable import BalancerKitNginx

@Suite struct SecureAnswers {
    @Test func `TLS is terminated, and the certificate is that of the server's name`() async throws {
        let upstream = try await SameAnswers.echo("up", ["X-Forwarded-Proto", "Host"])
        let scratch = try Scratch()
        for (name, pair) in [("one", TestCertificates.one), ("two", TestCertificates.two)] {
            try scratch.write("\(name).pem", pair.chain)
            try scratch.write("\(name).key", pair.key)
        }
        func certificate(_ name: String) -> String {
            "ssl_certificate \(scratch.path)/\(name).pem; ssl_certificate_key \(scratch.path)/\(name).key;"
        }
        let text = """
            server {
                listen 127.0.0.1:{port} ssl;
                server_name one.example; \(certificate("one"))
                location / { proxy_pass http://127.0.0.1:\(upstream.port); proxy_set_header Host $host; proxy_set_header X-Forwarded-Proto $scheme; }
                location /moved { return 301 /here; }
                location /scheme { return 200 "$scheme"; }
            }
            server {
                listen 127.0.0.1:{port} ssl;
                server_name two.example *.two.example; \(certificate("two"))
                location / { return 200 "two"; }
            }
            """
        var requests: [SameAnswers.Request] = []
        for (target, host, name) in [
            ("/a", "one.example", "one.example"), ("/moved", "one.example", "one.example"), ("/scheme", "one.example", "one.example"),
            ("/", "two.example", "two.example"), ("/", "x.two.example", "x.two.example"), ("/a", "unknown.example", "unknown.example"),
        ] {
            var request = SameAnswers.Request(target, host: host)
            request.serverName = name
            requests.append(request)
        }
        let answers = try await SameAnswers.expect(text, requests)
        #expect(Set(answers.map { $0.fields.last ?? "" }).count == 2)
        #expect(answers[0].body.contains("X-Forwarded-Proto=https"))
        await upstream.stop()
    }

    @Test func `an upgrade is passed with the idiom of WebSocket, and only with it`() async throws {
        let upstream = try await SameAnswers.echo("up", ["Upgrade", "Connection"])
        let text = """
            map $http_upgrade $connection_upgrade { default upgrade; '' close; }
            server {
                listen 127.0.0.1:{port};
                proxy_set_header Host $host;
                location /socket { proxy_pass http://127.0.0.1:\(upstream.port); proxy_http_version 1.1; proxy_set_header Host $host;
                    proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection $connection_upgrade; }
            }
            """
        var request = SameAnswers.Request("/socket")
        request.text = request.text.replacingOccurrences(of: "Connection: close", with: "Connection: upgrade\r\nUpgrade: websocket")
        let answers = try await SameAnswers.expect(text, [request])
        #expect(answers[0].body == "up\nGET /socket\nUpgrade=websocket\nConnection=upgrade")
        await upstream.stop()
    }
}
