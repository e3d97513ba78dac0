internal import QueueKit

/// What a value at a job's key means, whoever wrote it.
enum StoredResult: Hashable, Sendable {
    /// As good as no value: Celery takes an empty one for none.
    case nothing
    case status(JobStatus)
    /// - Parameter isResult: whether it may be a job's result all the same, one that is only not for us to read.
    case unreadable(reason: String, isResult: Bool)

    /// What stands before a result that Celery has compressed, followed by the compression's media type and a zero byte.
    private static let compressionMark = Array("\0celery-compressed\0".utf8)

    init(_ value: [UInt8], of id: JobID, limits: JSONLimits) {
        if value.isEmpty {
            self = .nothing
        } else if value.starts(with: Self.compressionMark) {
            self = .unreadable(reason: "it is compressed", isResult: true)
        } else {
            do throws(JSONError) {
                self.init(try JSONParser.parse(value, limits: limits), of: id)
            } catch {
                self = .unreadable(reason: error.description, isResult: Self.isLimit(error.problem))
            }
        }
    }

    private init(_ json: JSONValue, of id: JobID) {
        if let status = JobStatus(json: json), status.id == id {
            self = .status(status)
        } else {
            self = .unreadable(reason: "it is JSON, but not this job's result", isResult: false)
        }
    }

    private static func isLimit(_ problem: JSONError.Problem) -> Bool {
        switch problem {
        case .tooLarge, .tooDeep: true
        case .unexpectedEnd, .unexpectedByte, .invalidNumber, .invalidString, .trailingBytes: false
        }
    }

    /// A status as it is stored. The state comes first, which the scripts rely on.
    ///
    /// Python cannot read a failed state without an exception, so that a failure of which nothing is known gets one without words.
    static func bytes(of status: JobStatus) -> [UInt8] {
        var status = status
        if status.state.carriesFailure, status.failure == nil {
            let (type, module) = status.state == .revoked ? ("TaskRevokedError", "celery.exceptions") : ("Exception", "builtins")
            status.failure = JobFailure(type, "", module: module, isPermanent: status.state != .retry)
        }
        return status.json(extended: true).jsonBytes()
    }
}
