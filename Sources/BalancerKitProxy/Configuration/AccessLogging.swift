/// Where a request is noted once it is over: nginx's `access_log`.
public enum AccessLogging: Hashable, Sendable {
    /// In the proxy's log, at the level ``ProxyConfiguration/accessLog``.
    case logger
    /// Nowhere.
    case off
    /// At the end of these files, as a line in nginx's format `combined`, and not in the proxy's log.
    ///
    /// The request stands there as it was sent, query included, and so may hold secrets. A file is made where there
    /// is none, and opened anew by ``ReverseProxy/reopenLogs()``. Lines are written behind the requests' backs: where a disk takes none, a
    /// megabyte of them is held, and what comes then is lost. The proxy's log has the first failure, and how many lines were lost once the
    /// file takes lines again, or at the proxy's end.
    case files([String])
}

extension AccessLogging {
    func validate() throws(ProxyError) {
        guard case .files(let paths) = self else { return }
        guard !paths.isEmpty else { throw .invalid("responses.log", "there is no file to write to") }
        guard paths.allSatisfy({ !$0.isEmpty && !$0.utf8.contains(0) }) else {
            throw .invalid("responses.log", "a path is empty, or has a zero byte")
        }
    }
}
