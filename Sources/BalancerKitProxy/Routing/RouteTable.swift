/// Finds the route of a request: the one for exactly its path, else the longest prefix that the path begins with.
struct RouteTable<Action: Sendable>: Sendable {
    private struct Route: Sendable {
        let prefix: [UInt8]
        let action: Action
    }

    /// Taken only by the very path.
    private let exact: [Route]
    /// The longest prefix first; of equals the first configured.
    private let routes: [Route]

    init(_ routes: [(prefix: String, isExact: Bool, action: Action)]) {
        let indexed = routes.enumerated().sorted { left, right in
            let (leftLength, rightLength) = (left.element.prefix.utf8.count, right.element.prefix.utf8.count)
            return leftLength == rightLength ? left.offset < right.offset : leftLength > rightLength
        }
        let sorted = indexed.map { (isExact: $0.element.isExact, Route(prefix: Array($0.element.prefix.utf8), action: $0.element.action)) }
        self.exact = sorted.filter(\.isExact).map(\.1)
        self.routes = sorted.filter { !$0.isExact }.map(\.1)
    }

    /// O(routes), and no copy of the path unless it is written in an unusual way.
    func action(for target: RequestTarget, _ bytes: UnsafeRawBufferPointer) -> Action? {
        if target.lacksPath { return (self.exact + self.routes).first { $0.prefix == [UInt8(ascii: "/")] }?.action }
        guard target.isPlain else {
            return NormalizedPath.of(bytes, target.path).withUnsafeBytes { self.match(UnsafeRawBufferPointer($0)) }
        }
        return self.match(UnsafeRawBufferPointer(rebasing: bytes[target.path]))
    }

    private func match(_ path: UnsafeRawBufferPointer) -> Action? {
        for route in self.exact where path.count == route.prefix.count && path.elementsEqual(route.prefix) {
            return route.action
        }
        for route in self.routes where path.count >= route.prefix.count && path.starts(with: route.prefix) {
            return route.action
        }
        return nil
    }
}
