import HTTPTypes

/// The paths that this service knows, with the methods that each answers.
///
/// The router answers an unknown method like an unknown path, so the table decides that 405 comes first.
struct EndpointTable: Sendable {
    struct Endpoint: Sendable {
        let segments: [Segment]
        let methods: [HTTPRequest.Method]

        /// - Parameter path: as the router writes it, such as `/profiles/{id}`.
        init(_ path: String, _ methods: [HTTPRequest.Method]) {
            self.segments = EndpointTable.segments(of: path).map {
                switch $0 {
                case "{id}": .id
                case _ where $0.hasPrefix("{"): .any
                default: .literal($0)
                }
            }
            self.methods = methods
        }

        func matches(_ path: [Substring]) -> Bool {
            path.count == self.segments.count
                && zip(path, self.segments).allSatisfy { given, segment in
                    switch segment {
                    case .literal(let text): given == text
                    case .id: true
                    case .any: !given.isEmpty
                    }
                }
        }

        /// The segment of `path` that stands for an id, if there is one.
        func id(in path: [Substring]) -> Substring? {
            zip(path, self.segments).first { $1 == .id }?.0
        }
    }

    enum Segment: Equatable, Sendable {
        case literal(Substring)
        /// `{id}`: the id of a profile, or what stands in its place, be it nothing.
        case id
        /// Anything else in braces: any text but none. The router does not see empty segments, and takes `/jobs/` for `/jobs`.
        case any
    }

    enum Match {
        case unknownPath
        /// `id` is the segment of the path that stands for one, as it came.
        case allowed(id: Substring?)
        case notAllowed(allow: String)
    }

    let endpoints: [Endpoint]

    func match(method: HTTPRequest.Method, path: Substring) -> Match {
        let segments = Self.segments(of: String(path))
        guard let endpoint = self.endpoints.first(where: { $0.matches(segments) }) else { return .unknownPath }
        // HEAD wherever GET is.
        let methods = endpoint.methods.contains(.get) ? endpoint.methods + [.head] : endpoint.methods
        guard methods.contains(method) else { return .notAllowed(allow: methods.map(\.rawValue).joined(separator: ", ")) }
        return .allowed(id: endpoint.id(in: segments))
    }

    private static func segments(of path: String) -> [Substring] {
        path.dropFirst().split(separator: "/", omittingEmptySubsequences: false)
    }
}
