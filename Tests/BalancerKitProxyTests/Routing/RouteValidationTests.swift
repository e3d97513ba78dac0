import BalancerKit
import Testing

@testable import BalancerKitProxy

@Suite struct RouteValidationTests {
    private static func proxy(_ change: (inout ProxyRoute) throws -> Void) rethrows -> ProxyConfiguration {
        var route = ProxyRoute(prefix: "/", upstream: UpstreamConfiguration(endpoints: ["127.0.0.1:1"]))
        try change(&route)
        return ProxyConfiguration(routes: [route])
    }

    @Test func `what cannot work is refused by name`() throws {
        let header = { (name: String) throws in RequestField(name: name, value: try RequestTemplate("x")) }
        let cases: [(ProxyConfiguration, String)] = [
            (Self.proxy { $0.replacementPath = "x" }, "replacementPath"), (Self.proxy { $0.replacementPath = "/a b" }, "replacementPath"),
            (Self.proxy { $0.replacementPath = "/a\r\nX: y" }, "replacementPath"), (Self.proxy { $0.bodyLimit = .bytes(-1) }, "bodyLimit"),
            (
                try Self.proxy {
                    $0.expression = try PathExpression("x")
                    $0.replacementPath = "/"
                }, "replacementPath"
            ),
            (try Self.proxy { $0.requestFields = [try header("Transfer-Encoding")] }, "requestFields"),
            (try Self.proxy { $0.requestFields = [try header("content-length")] }, "requestFields"),
            (try Self.proxy { $0.requestFields = [try header("A B")] }, "requestFields"),
            (try Self.proxy { $0.requestFields = [try header("")] }, "requestFields"),
            (Self.proxy { $0.action = .answer(FixedAnswer(status: 100)) }, "routes"),
            (Self.proxy { $0.routes = [ProxyRoute(prefix: "x", action: .close)] }, "routes"),
        ]
        for (configuration, place) in cases {
            let error = #expect(throws: ProxyError.self) { try ReverseProxy(configuration) }
            #expect(error?.place == place)
        }
    }

    @Test func `hosts without names or with masks that are none are refused`() {
        for names in [[], ["a.*.b"], ["*"], ["*a.b"], ["a*"], ["*.*"], ["~("]] {
            var configuration = Self.proxy { _ in }
            configuration.hosts = [ProxyHost(names: names, routes: configuration.routes)]
            #expect(throws: ProxyError.self, "\(names)") { try ReverseProxy(configuration) }
        }
    }

    @Test(arguments: ["$", "${host", "${}", "a$ b", "\u{1}", "x\u{7f}"]) func `a template that is none is refused`(text: String) {
        #expect(throws: ProxyError.self) { try RequestTemplate(text) }
    }

    @Test func `names that nobody knows are told, and groups are not among them`() throws {
        #expect(try RequestTemplate("$host$id${other}$1").unknownVariables(groups: ["id"]) == ["other"])
    }
}
