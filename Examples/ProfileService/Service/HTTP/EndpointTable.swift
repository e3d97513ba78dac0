import HTTPTypes

/// The paths that this service knows, with the methods that each answers.
///
/// The router answers an unknown method like an unknown path, so the table decides that 405 comes first.
struct EndpointTable: Sendable {
    struct Endpoint: Sendable {
        /// The path's segments; nil stands for any one segment.
        let segments: [Substring?]
        let methods: [HTTPRequest.Method]

        /// - Parameter path: as the router writes it, such as `/profiles/{id}`.
        init(_ path: String, _ methods: [HTTPRequest.Method]) {
            self.segments = EndpointTable.segments(of: path).map { $0.hasPrefix("{") ? nil : $0 }
            self.methods = methods
        }

        func matches(_ path: [Substring]) -> Bool {
            path.count == self.segments.count && zip(path, self.segments).allSatisfy { $1 == nil || $0 == $1 }
        }
    }

    enum Match {
        case unknownPath
        case allowed
        case notAllowed(allow: String)
    }

    let endpoints: [Endpoint]

    func match(method: HTTPRequest.Method, path: Substring) -> Match {
        let segments = Self.segments(of: String(path))
        guard let endpoint = self.endpoints.first(where: { $0.matches(segments) }) else { return .unknownPath }
        // HEAD wherever GET is.
        let methods = endpoint.methods.contains(.get) ? endpoint.methods + [.head] : endpoint.methods
        return methods.contains(method) ? .allowed : .notAllowed(allow: methods.map(\.rawValue).joined(separator: ", "))
    }

    private static func segments(of path: String) -> [Substring] {
        path.dropFirst().split(separator: "/", omittingEmptySubsequences: false)
    }
}
