import NIOCore
import NIOPosix
import ScaleCore

/// The files of a proxy's access log, each once.
struct AccessLogs: Sendable {
    /// How long the end of a proxy waits for them.
    static let patience = Duration.seconds(5)

    /// Threads of their own: a disk that hangs holds some of these, and none that reads files for clients.
    static let threads: NIOThreadPool = {
        let threads = NIOThreadPool(numberOfThreads: 4)
        threads.start()
        return threads
    }()

    let files: [AccessLogFile]

    /// Opens all of them, or opens them anew.
    ///
    /// - Throws: the first file's error; the others are opened nonetheless.
    func open() async throws(ProxyError) {
        let openings = self.files.map { file in
            let opening = PendingResult<Void>()
            Self.threads.submit { _ in
                opening.resolve(Result { () throws(ProxyError) in try file.open() })
            }
            return opening
        }
        var failure: ProxyError?
        for opening in openings {
            let result = await withTaskCancellationHandler {
                do throws(ProxyError) {
                    try await opening.value()
                    return ProxyError?.none
                } catch {
                    return error
                }
            } onCancel: {
                opening.resolve(.failure(ProxyError(code: .stopped, message: "cancelled while a log is being opened")))
            }
            failure = failure ?? result
        }
        if let failure { throw failure }
    }

    /// Waits for what is to be written, so long at most, and closes all of them for good.
    func end(within limit: Duration, on eventLoop: any EventLoop) async {
        guard !self.files.isEmpty else { return }
        let timer = eventLoop.scheduleTask(in: .nanoseconds(limit.wholeNanoseconds)) { for file in self.files { file.giveUp() } }
        for file in self.files { await file.flush() }
        timer.cancel()
        for file in self.files {
            file.giveUp()
            // To close a file may block, too.
            Self.threads.submit { _ in file.close() }
        }
    }
}
