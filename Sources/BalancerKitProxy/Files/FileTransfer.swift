import NIOCore
import NIOPosix
import ScaleCore

/// Sends a file to a client in an ``Exchange``'s place: looks it up and reads it on a thread that may block, a piece at a time, and the next
/// only when the client has taken what was read before.
///
/// Lives on the client's event loop. What is answered is decided by ``FileSite``; here is only how it gets there.
final class FileTransfer {
    /// Bytes that are read and held at a time.
    private static let pieceLength = 128 << 10

    private let client: ClientConnection
    private let worker: LoopWorker
    private let site: FileSite
    private let request: FileRequest
    private let keepsConnection: Bool
    private let record: RequestRecord?
    private let startedAt: Instant

    private var file: Descriptor?
    /// What is still to be sent, the next last.
    private var pieces: [FileAnswer.Piece] = []
    private var status = 0
    private var sentBytes = 0
    private var isReading = false
    private var isFinished = false

    init(
        _ request: FileRequest, from site: FileSite, to client: ClientConnection, keepsConnection: Bool, _ record: RequestRecord?,
        at now: Instant
    ) {
        self.request = request
        self.site = site
        self.client = client
        self.worker = client.worker
        self.keepsConnection = keepsConnection
        self.record = record
        self.startedAt = now
    }

    /// Looks the file up. With a small one its content comes along, so that there is one way to the thread and back.
    func start() {
        let (site, request, allocator) = (self.site, self.request, ByteBufferAllocator())
        self.run { () throws -> (FileSite.Outcome, ByteBuffer?) in
            let outcome = site.outcome(request)
            guard request.method != .head, case .answer(let answer, let file) = outcome, case .file(let range)? = answer.body.first,
                !range.isEmpty
            else { return (outcome, nil) }
            return (outcome, try file.read(at: range.lowerBound, Self.length(of: range), allocator))
        } then: { (transfer, result: Result<(FileSite.Outcome, ByteBuffer?), any Error>) in
            switch result {
            case .failure(let error): transfer.fail(error)
            case .success(let (outcome, beginning)): transfer.begin(outcome, beginning)
            }
        }
    }

    private func begin(_ outcome: FileSite.Outcome, _ beginning: ByteBuffer?) {
        switch outcome {
        case .answer(let answer, let file): self.begin(answer, file, beginning)
        case .redirect: self.refuse(301, [Array("Location: ".utf8), self.request.directoryLocation, Array("\r\n".utf8)].flatMap { $0 })
        case .refuse(405): self.refuse(405, Array("Allow: GET, HEAD\r\n".utf8))
        case .refuse(let status): self.refuse(status)
        case .failure(let code):
            self.worker.log.fileFailed(self.client.address, errno: code)
            self.refuse(500)
        }
    }

    private func begin(_ answer: FileAnswer, _ file: Descriptor, _ beginning: ByteBuffer?) {
        guard answer.status == 200 || answer.status == 206 || answer.status == 304 else { return self.refuse(answer) }
        self.status = answer.status
        self.file = file
        self.client.stage(answer, keepsConnection: self.keepsConnection)
        if self.request.method != .head { self.pieces = answer.body.reversed() }
        if let beginning { self.send(beginning) }
        self.proceed()
    }

    /// The client has room again.
    func clientTakesMore() { self.proceed() }

    /// Sends what there is to send, until the client takes no more or the file has to be read.
    private func proceed() {
        while !self.isFinished, !self.isReading, self.client.port.isWritable {
            switch self.pieces.last {
            case nil: return self.finish()
            case .text(let text):
                self.pieces.removeLast()
                self.sentBytes += text.count
                self.client.port.write([0..<text.count], of: ByteBuffer(bytes: text), isEnd: false, as: BodyWriter(isChunked: false))
            case .file(let range) where range.isEmpty: self.pieces.removeLast()
            case .file(let range): self.read(range)
            }
        }
        // What was written stays with the channel until then, and only what has gone makes it take more.
        if !self.isFinished { self.client.port.flush() }
    }

    private func read(_ range: Range<Int64>) {
        guard let file else { return }
        self.isReading = true
        let allocator = ByteBufferAllocator()
        self.run { () throws -> ByteBuffer in
            try file.read(at: range.lowerBound, Self.length(of: range), allocator)
        } then: { (transfer, result: Result<ByteBuffer, any Error>) in
            transfer.isReading = false
            switch result {
            case .failure(let error): transfer.fail(error)
            case .success(let bytes):
                transfer.send(bytes)
                transfer.proceed()
            }
        }
    }

    /// Sends what was read of the next piece.
    private func send(_ bytes: ByteBuffer) {
        guard case .file(let range)? = self.pieces.last else { return }
        // The file has shrunk: the length that was promised cannot be kept, and the client must see that.
        guard bytes.readableBytes > 0 else { return self.breakOff() }
        self.pieces.removeLast()
        self.pieces.append(.file((range.lowerBound + Int64(bytes.readableBytes))..<range.upperBound))
        self.sentBytes += bytes.readableBytes
        self.client.port.write([0..<bytes.readableBytes], of: bytes, isEnd: false, as: BodyWriter(isChunked: false))
    }

    private static func length(of range: Range<Int64>) -> Int {
        Int(min(range.upperBound - range.lowerBound, Int64(Self.pieceLength)))
    }

    /// Runs what blocks on a thread for that, and the rest on the event loop, unless the transfer is over by then.
    private func run<Value: Sendable>(
        _ work: @escaping @Sendable () throws -> Value, then completion: @escaping (FileTransfer, Result<Value, any Error>) -> Void
    ) {
        NIOThreadPool.singleton.runIfActive(eventLoop: self.worker.eventLoop, work).assumeIsolated().whenComplete { result in
            guard !self.isFinished else { return }
            completion(self, result)
        }
    }
}

// MARK: - The end

extension FileTransfer {
    private func finish() {
        guard !self.isFinished else { return }
        self.isFinished = true
        let now = self.worker.now()
        self.client.port.flush()
        self.account(status: self.status, at: now)
        self.client.finishExchange(keepsConnection: self.keepsConnection, headStorage: nil, requestIsWhole: self.keepsConnection, at: now)
    }

    /// nginx gives a range that cannot be had what the whole file would get, less what names the file's state.
    private func refuse(_ answer: FileAnswer) {
        let isRange = answer.status == 416
        let changes =
            isRange
            ? self.client.additions?.withoutValidators.changes(
                status: 200, modified: answer.modified, at: self.worker.second(at: self.worker.now())) : nil
        self.refuse(answer.status, answer.fields, changes)
    }

    private func refuse(_ status: Int, _ fields: [UInt8] = [], _ changes: ResponseChanges? = nil) {
        guard !self.isFinished else { return }
        self.isFinished = true
        self.sentBytes = LocalAnswer.length(status, isAnswerToHead: self.request.method == .head)
        self.account(status: status, at: self.worker.now())
        self.client.answer(
            status: status, keepsConnection: self.keepsConnection, isAnswerToHead: self.request.method == .head, fields: fields,
            changes: changes)
    }

    /// The file could not be read, or no thread is left to do it.
    private func fail(_ error: any Error) {
        if case .system(let code)? = error as? FileFailure { self.worker.log.fileFailed(self.client.address, errno: code) }
        if self.status == 0 { self.refuse(500) } else { self.breakOff() }
    }

    private func breakOff() {
        guard !self.isFinished else { return }
        self.isFinished = true
        self.worker.tally.lost()
        self.account(status: self.status, at: self.worker.now())
        self.client.abort(resets: false)
    }

    /// The client has closed its connection.
    func clientGone() {
        guard !self.isFinished else { return }
        self.isFinished = true
        self.worker.tally.clientGone()
        self.record?.finish(status: 499, bytes: self.sentBytes, endpoint: nil, attempts: 0, at: self.worker.now())
    }

    private func account(status: Int, at now: Instant) {
        self.worker.tally.finished(status: status, after: self.startedAt.nanoseconds(to: now))
        self.record?.finish(status: status, bytes: self.sentBytes, endpoint: nil, attempts: 0, at: now)
    }
}

extension ClientConnection {
    /// Begins to send a file.
    func send(
        from site: FileSite, _ head: RequestHead, length: Int, _ record: RequestRecord?, at now: Instant
    ) {
        let request = self.port.inbox.withUnsafeReadableBytes { FileRequest(head, UnsafeRawBufferPointer(rebasing: $0[..<length])) }
        self.port.inbox.moveReaderIndex(forwardBy: length)
        // Nobody wants a body here; to read on behind it, it would have to be read to its end.
        let keepsConnection = head.framing == .none && self.mayPersist(head.persists, at: now)
        let transfer = FileTransfer(request, from: site, to: self, keepsConnection: keepsConnection, record, at: now)
        self.transfer = transfer
        transfer.start()
    }

    /// Puts the head of a file in front of what is written next.
    fileprivate func stage(_ answer: FileAnswer, keepsConnection: Bool) {
        let now = self.worker.now()
        let date = self.worker.date(at: now)
        let fields = self.changes(status: answer.status, modified: answer.modified, at: now)?.applied(to: answer.fields) ?? answer.fields
        let server = self.worker.plan.configuration.forwarding.serverHeader
        self.port.staged.clear()
        self.port.staged.writeHead(estimate: 512 + fields.count) { writer in
            writer.write("HTTP/1.1 ")
            writer.writeNumber(answer.status)
            writer.write(" ")
            writer.write(HTTPStatus.reason(answer.status))
            writer.write("\r\n")
            if case .replace(let name) = server { writer.write("Server: \(name)\r\n") }
            ResponseFilter.writeDate(date, to: &writer)
            writer.write(fields)
            if answer.status != 304 {
                writer.write("Content-Length: ")
                writer.writeNumber(Int(answer.length))
                writer.write("\r\n")
            }
            writer.write(keepsConnection ? "Connection: keep-alive\r\n\r\n" : "Connection: close\r\n\r\n")
        }
    }
}
