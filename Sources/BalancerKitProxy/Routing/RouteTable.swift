/// Finds the route of a request, in nginx's order (`ngx_http_core_find_location`); see ``PathMatch``.
struct RouteTable<Action: Sendable>: Sendable {
    /// A route, and those within it.
    struct Route: Sendable {
        var match: PathMatch
        var action: Action
        var routes: [Route]

        init(_ match: PathMatch, _ action: Action, _ routes: [Route] = []) {
            self.match = match
            self.action = action
            self.routes = routes
        }
    }

    enum Answer {
        case route(Action, RouteCaptures)
        case nothing
        /// An expression's search was given up.
        case tooComplex
    }

    /// The routes of one level.
    private struct Level: Sendable {
        var exact: [[UInt8]: Int] = [:]
        /// The longest first.
        var prefixes: [(prefix: [UInt8], isFirm: Bool, node: Int)] = []
        /// In their order.
        var expressions: [(expression: PathExpression, node: Int)] = []

        var isEmpty: Bool { self.exact.isEmpty && self.prefixes.isEmpty && self.expressions.isEmpty }
    }

    private enum Found {
        case nothing
        /// Another level's expressions may still take the path.
        case prefix(Int)
        case final(Int, RouteCaptures)
        case tooComplex
    }

    private var actions: [Action] = []
    /// The routes within each route; the outermost stand apart.
    private var levels: [Level] = []
    private var outermost = Level()

    /// Of routes with the same match the first is taken.
    init(_ routes: [Route]) {
        self.outermost = self.add(routes)
    }

    private mutating func add(_ routes: [Route]) -> Level {
        var level = Level()
        for route in routes {
            let node = self.actions.count
            self.actions.append(route.action)
            self.levels.append(Level())
            self.levels[node] = self.add(route.routes)
            switch route.match {
            case .exact(let path): if level.exact[Array(path.utf8)] == nil { level.exact[Array(path.utf8)] = node }
            case .prefix(let path): level.prefixes.append((Array(path.utf8), false, node))
            case .firmPrefix(let path): level.prefixes.append((Array(path.utf8), true, node))
            case .expression(let expression): level.expressions.append((expression, node))
            }
        }
        let sorted = level.prefixes.enumerated().sorted { left, right in
            let (leftLength, rightLength) = (left.element.prefix.count, right.element.prefix.count)
            return leftLength == rightLength ? left.offset < right.offset : leftLength > rightLength
        }
        level.prefixes = sorted.map(\.element)
        return level
    }

    /// O(routes), and no copy of the path unless it is written in an unusual way.
    func route(for target: RequestTarget, _ bytes: UnsafeRawBufferPointer) -> Answer {
        if target.lacksPath { return [UInt8(ascii: "/")].withUnsafeBytes { self.answer(UnsafeRawBufferPointer($0)) } }
        guard target.isPlain else {
            return NormalizedPath.of(bytes, target.path).withUnsafeBytes { self.answer(UnsafeRawBufferPointer($0)) }
        }
        return self.answer(UnsafeRawBufferPointer(rebasing: bytes[target.path]))
    }

    private func answer(_ path: UnsafeRawBufferPointer) -> Answer {
        switch self.find(path, in: self.outermost) {
        case .nothing: .nothing
        case .tooComplex: .tooComplex
        case .prefix(let node): .route(self.actions[node], .none)
        case .final(let node, let captures): .route(self.actions[node], captures)
        }
    }

    /// Calls itself for the routes within a route, as deep as they are configured.
    private func find(_ path: UnsafeRawBufferPointer, in level: Level) -> Found {
        if !level.exact.isEmpty, let node = level.exact[Array(path)] { return .final(node, .none) }
        var found = Found.nothing
        var isFirm = false
        for candidate in level.prefixes where path.count >= candidate.prefix.count && path.starts(with: candidate.prefix) {
            found = .prefix(candidate.node)
            isFirm = candidate.isFirm
            switch self.find(path, in: self.levels[candidate.node]) {
            case .nothing: break
            case .prefix(let inner): found = .prefix(inner)
            case .final(let inner, let captures): return .final(inner, captures)
            case .tooComplex: return .tooComplex
            }
            break
        }
        guard !isFirm else { return found }
        for (expression, node) in level.expressions {
            switch expression.program.search(path) {
            case .noMatch: continue
            case .tooComplex: return .tooComplex
            case .match(let groups): return self.found(node, path, groups, expression.program.names)
            }
        }
        return found
    }

    private func found(_ node: Int, _ path: UnsafeRawBufferPointer, _ groups: [Range<Int>?], _ names: [String: Int]) -> Found {
        let captures = RouteCaptures(groups: groups.map { $0.map { Array(path[$0]) } ?? [] }, names: names)
        switch self.find(path, in: self.levels[node]) {
        case .nothing: return .final(node, captures)
        case .prefix(let inner): return .final(inner, captures)
        case .final(let inner, let own): return .final(inner, own == .none ? captures : own)
        case .tooComplex: return .tooComplex
        }
    }
}
