import HTTPTypes
import Hummingbird
import NIOCore
import ScaleCore

/// The feed of changed profiles, as server-sent events.
struct LiveRoutes: Sendable {
    let feed: LiveFeed
    let addresses: ClientAddress
    var time = TimeSource.system

    static let endpoints = [EndpointTable.Endpoint("/live", [.get])]

    /// What is on its way to a client at the end of the service has so long to get there.
    private static let lastWords = Duration.seconds(1)

    func add(to router: Router<ProfileContext>) {
        router.get("/live", use: self.listen)
        // The one that is made of GET would say that the stream has no bytes.
        router.head("/live", use: self.listen)
    }

    @Sendable func listen(_ request: Request, _ context: ProfileContext) async throws -> Response {
        let listener = try self.listener(request, context)
        let headers: HTTPFields = [
            .contentType: "text/event-stream", .cacheControl: "no-store", Self.accelBuffering: "no",
            // A stream has no end but that of its connection.
            .connection: "close",
        ]
        guard request.method == .get else { return Response(status: .ok, headers: headers, body: ResponseBody { _ in }) }
        let channel = context.channel
        return Response(
            status: .ok, headers: headers,
            body: ResponseBody { writer in
                try await request.body.consumeWithInboundCloseHandler { _ in
                    try await self.send(to: listener, &writer, channel)
                } onInboundClosed: {
                    listener.leave()
                }
            })
    }

    private func listener(_ request: Request, _ context: ProfileContext) throws(HTTPFailure) -> LiveListener {
        do {
            return try self.feed.audience.enter(
                client: self.addresses.of(request, context), lastEventID: request.headers[Self.lastEventID])
        } catch {
            switch error {
            case .full:
                throw HTTPFailure(.serviceUnavailable, "too many listen already, try again soon", headers: [.retryAfter: "5"])
            case .fullForClient:
                throw HTTPFailure(.tooManyRequests, "too many listen from this address already", headers: [.retryAfter: "5"])
            }
        }
    }

    @concurrent private func send(to listener: LiveListener, _ writer: inout any ResponseBodyWriter, _ channel: any Channel) async throws {
        let watch = Task {
            // A write to a client that does not read would wait for it for ever.
            switch try await listener.dismissal.value() {
            case .gone: return
            case .tooSlow: break
            case .closing: try await self.time.sleep(for: Self.lastWords)
            }
            channel.close(promise: nil)
        }
        defer { watch.cancel() }
        for await event in listener.events { try await writer.write(event) }
        try await writer.finish(nil)
    }

    private static let lastEventID = HTTPField.Name("Last-Event-ID")!
    private static let accelBuffering = HTTPField.Name("X-Accel-Buffering")!
}
