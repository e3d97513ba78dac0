import BalancerKit

/// A field that a route sets for the upstream: nginx's `proxy_set_header`.
public struct RequestField: Sendable, Hashable {
    public var name: String
    /// An empty value sends no such field; a client's own of the name is left out in any case.
    public var value: RequestTemplate

    public init(name: String, value: RequestTemplate) {
        self.name = name
        self.value = value
    }
}

/// How large bodies may be on a route.
public enum BodyLimit: Sendable, Hashable {
    case unlimited
    case bytes(Int)
}

/// What the endpoints are chosen by, for a strategy that sends what belongs together to one of them.
public enum UpstreamKey: Sendable, Hashable {
    /// The client's network: the first three octets of an IPv4 address, all of an IPv6 address (nginx's `ip_hash`).
    case clientNetwork
    /// A text made from the request (nginx's `hash`).
    case text(RequestTemplate)
}

/// How requests of one route are forwarded otherwise than as they came.
final class ForwardRule: Sendable {
    private let key: UpstreamKey?
    /// Bytes of a request's body at most; nil is what holds for all.
    let bodyLength: Int?
    private let prefixLength: Int
    private let path: [UInt8]?
    private let fields: [RequestField]
    private let names: Set<[UInt8]>

    /// Nil where all is as usual.
    init?(_ route: ProxyRoute, _ upstream: UpstreamConfiguration) {
        let isUsual = upstream.key == nil && route.replacementPath == nil && route.requestFields.isEmpty && route.bodyLimit == nil
        guard !isUsual else { return nil }
        self.key = upstream.key
        self.bodyLength =
            switch route.bodyLimit {
            case .bytes(let count): count
            case .unlimited: .max
            case nil: nil
            }
        self.prefixLength = route.match.path?.utf8.count ?? 0
        self.path = route.replacementPath.map { Array($0.utf8) }
        self.fields = route.requestFields
        self.names = Set(route.requestFields.map { $0.name.utf8.map(ByteClass.lowercased) })
    }

    /// What the head for the upstream has instead of the client's; nil where it is as usual.
    func changes(for request: RequestView) -> HeadChanges? {
        guard self.path != nil || !self.fields.isEmpty else { return nil }
        var changes = HeadChanges(names: self.names)
        changes.target = self.path.map { self.target($0, request) }
        for field in self.fields {
            let value = field.value.fieldValue(for: request)
            if field.name.lowercased() == "host" { changes.host = value } else { changes.fields.append((field.name, value)) }
        }
        return changes
    }

    /// The path with the route's prefix replaced, escaped again where the client's had escapes, and the client's query
    /// (`ngx_http_proxy_create_request`).
    private func target(_ path: [UInt8], _ request: RequestView) -> [UInt8] {
        let rest = request.path.dropFirst(self.prefixLength)
        let hasEscapes = request.head.target.map { request.bytes[$0.path].contains(UInt8(ascii: "%")) } ?? false
        var target = path + (hasEscapes ? PercentEncoding.path(rest) : Array(rest))
        if let query = request.query, !query.isEmpty {
            target.append(UInt8(ascii: "?"))
            target += request.bytes[query]
        }
        return target
    }

    /// What the endpoint is chosen by.
    func keyBytes(for request: RequestView) -> [UInt8]? {
        switch self.key {
        case nil: nil
        case .clientNetwork: request.client.network
        case .text(let template): template.text(for: request)
        }
    }
}

/// What a route changes of a request's head.
struct HeadChanges {
    var target: [UInt8]?
    var host: [UInt8]?
    var fields: [(name: String, value: [UInt8])] = []
    /// In lower case: the client's own of these go, and so do the proxy's.
    let names: Set<[UInt8]>

    init(names: Set<[UInt8]>) {
        self.names = names
    }

    func replaces(_ name: StaticString) -> Bool {
        name.withUTF8Buffer { self.names.contains(Array($0)) }
    }

    func replaces(_ bytes: UnsafeRawBufferPointer, _ name: Range<Int>) -> Bool {
        !self.names.isEmpty && self.names.contains(bytes[name].map(ByteClass.lowercased))
    }
}
