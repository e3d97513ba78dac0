/// Where a route's requests are noted, made ready.
enum RequestLog: Sendable {
    case logger
    case off
    case files([AccessLogFile])

    /// - Parameter file: finds the file of a path, which all routes that name it share.
    init(_ logging: AccessLogging?, file: (String) -> AccessLogFile) {
        switch logging {
        case .logger, nil: self = .logger
        case .off: self = .off
        case .files(let paths): self = .files(paths.map(file))
        }
    }

    var files: [AccessLogFile] { if case .files(let files) = self { files } else { [] } }
}
