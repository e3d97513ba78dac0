/// Which paths a route takes. Paths are compared as their meaning is: escapes decoded, dot segments resolved, double slashes merged.
///
/// The order is nginx's: the one exact path; else the longest prefix is found, and unless it is a firm one, the expressions are asked in
/// their order, of which the first that matches wins; else the longest prefix.
enum PathMatch: Sendable, Hashable {
    /// `location /path`: any path that begins so.
    case prefix(String)
    /// `location ^~ /path`: a prefix that no expression takes a path from.
    case firmPrefix(String)
    /// `location = /path`: the path alone.
    case exact(String)
    /// `location ~ expression`
    case expression(PathExpression)

    /// The path or its beginning; nil for an expression.
    var path: String? {
        switch self {
        case .prefix(let path), .firmPrefix(let path), .exact(let path): path
        case .expression: nil
        }
    }
}
