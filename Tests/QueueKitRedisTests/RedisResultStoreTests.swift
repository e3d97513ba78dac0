import Foundation
import QueueKit
import QueueKitRedis
import QueueKitTesting
import ScaleCore
import ScaleRedis
import ScaleTesting
import TestServers
import Testing

@Suite(.enabled(if: TestServers.redis != nil, "needs Redis: make services-up"))
struct RedisResultStoreTests {
    let redis: RedisClient
    let store: RedisResultStore

    init() throws {
        self.redis = try RedisClient(TestServers.redis ?? "", configuration: .patient)
        self.store = RedisResultStore(self.redis)
    }

    private func key(_ id: JobID) -> String { "celery-task-meta-\(id)" }

    private func send(_ name: String, _ arguments: RedisArgument...) async throws -> RedisValue {
        try await self.redis.send(RedisCommand(name, arguments))
    }

    private func plant(_ value: String, for id: JobID) async throws {
        _ = try await self.send("SET", .init(self.key(id)), .init(value), "EX", 3600)
    }

    private static func success(_ id: JobID, _ result: JSONValue = nil) -> JobStatus {
        var status = JobStatus(id: id, state: .success)
        status.result = result
        return status
    }

    @Test(arguments: ResultStoreConformance.cases)
    func `the Redis result store conforms`(_ rule: ResultStoreConformance.Case) async throws {
        let time = ManualTime()
        try await rule.run(on: .init(RedisResultStore(self.redis, time: time.source), time: time))
    }

    // MARK: Celery's keys

    @Test func `a result is at Celery's key for a day, and published there`() async throws {
        let id = JobID()
        let listening = try await self.redis.subscribe(channels: [self.key(id)])
        try await self.store.record(Self.success(id, 5))
        let ttl = try await self.send("TTL", .init(self.key(id))).integer ?? 0
        #expect((86_300...86_400).contains(ttl))
        let value = try #require(try await self.redis.get(self.key(id)))
        var messages = listening.makeAsyncIterator()
        #expect(try await messages.next()?.payload == value)
        let json = try JSONParser.parse(value)
        #expect(json.objectValue?["status"] == "SUCCESS")
        #expect(json.objectValue?["result"] == 5)
        #expect(json.objectValue?["children"] == [])
        #expect(json.objectValue?["task_id"] == .string(id.rawValue))
    }

    @Test func `PENDING is a value that Python reads as such, and is not published`() async throws {
        let id = JobID()
        let listening = try await self.redis.subscribe(channels: [self.key(id)])
        try await self.store.record(JobStatus(id: id, state: .pending))
        try await self.store.record(Self.success(id))
        var messages = listening.makeAsyncIterator()
        let first = try #require(try await messages.next())
        #expect(try JSONParser.parse(first.payload).objectValue?["status"] == "SUCCESS")
    }

    @Test(arguments: [
        ("", ""), ("shop", "shop_"), ("shop:", "shop:"), ("shop_", "shop_"), ("shop-", "shop-"), ("shop.", "shop."), ("é", "é_"),
    ])
    func `a global prefix gets an underscore where Celery puts one`(_ prefix: String, _ written: String) async throws {
        var configuration = RedisResultStore.Configuration()
        configuration.globalKeyPrefix = prefix
        let store = RedisResultStore(self.redis, configuration: configuration)
        let id = JobID()
        try await store.record(Self.success(id))
        #expect(try await self.redis.get("\(written)celery-task-meta-\(id)") != nil)
        _ = try await self.send("DEL", .init("\(written)celery-task-meta-\(id)"))
    }

    @Test(
        arguments: [Duration.milliseconds(1), .milliseconds(2500), .seconds(-5), .seconds(Int64.max / 2)]
    )
    func `the retention is in whole seconds and always one that Redis takes`(_ retention: Duration) async throws {
        let seconds: Int64 = retention > .seconds(3) ? 3_153_600_000 : retention > .seconds(1) ? 3 : 1
        var configuration = RedisResultStore.Configuration()
        configuration.retention = retention
        let id = JobID()
        let store = RedisResultStore(self.redis, configuration: configuration)
        #expect(try await store.record(Self.success(id)))
        let ttl = try await self.send("TTL", .init(self.key(id))).integer ?? 0
        #expect(ttl <= seconds && ttl >= seconds - 100)
    }

    @Test func `without a retention a result stays`() async throws {
        var configuration = RedisResultStore.Configuration()
        configuration.retention = nil
        let id = JobID()
        try await RedisResultStore(self.redis, configuration: configuration).record(Self.success(id))
        #expect(try await self.send("TTL", .init(self.key(id))).integer == -1)
        _ = try await self.send("DEL", .init(self.key(id)))
    }

    @Test(arguments: [JobState.failure, .retry, .revoked])
    func `a failed state always carries an exception, which Python insists on`(_ state: JobState) async throws {
        let id = JobID()
        try await self.store.record(JobStatus(id: id, state: state))
        let json = try JSONParser.parse(try #require(try await self.redis.get(self.key(id))))
        #expect(json.objectValue?["result"]?.objectValue?["exc_type"]?.stringValue?.isEmpty == false)
    }

    // MARK: What others have written

    private static func celeryValue(_ id: JobID, _ state: String, result: String = "5", blank: String = " ") -> String {
        #"{"status":\#(blank)"\#(state)",\#(blank)"result":\#(blank)\#(result), "traceback": null, "children": [], "date_done": "2026-11-24T02:13:11.798016+00:00", "name": "proj.add", "args": [2, 3], "kwargs": {}, "worker": "w@h", "retries": 0, "queue": "celery", "task_id": "\#(id)"}"#
    }

    @Test(arguments: ["", " "])
    func `an extended result of a Python worker is read, and its SUCCESS is never replaced`(_ blank: String) async throws {
        let id = JobID()
        try await self.plant(Self.celeryValue(id, "SUCCESS", blank: blank), for: id)
        let status = try #require(try await self.store.status(of: id))
        #expect(status.state == .success)
        #expect(status.result == 5)
        #expect(status.finishedAt != nil)
        for state in [JobState.pending, .started, .failure, .success] {
            #expect(try await !self.store.record(JobStatus(id: id, state: state)))
        }
        #expect(try await self.store.status(of: id)?.result == 5)
    }

    @Test func `a state of a task's own is read and replaced`() async throws {
        let id = JobID()
        try await self.plant(Self.celeryValue(id, "PROGRESS", result: #"{"done": 3}"#), for: id)
        #expect(try await self.store.status(of: id)?.result == ["done": 3])
        #expect(try await !self.store.record(JobStatus(id: id, state: .pending)))
        #expect(try await self.store.record(Self.success(id)))
    }

    @Test func `a result whose members are in another order keeps the rules`() async throws {
        let id = JobID()
        try await self.plant(#"{"task_id":"\#(id)","result":1,"status":"SUCCESS"}"#, for: id)
        #expect(try await !self.store.record(JobStatus(id: id, state: .started)))
        try await self.plant(#"{"task_id":"\#(id)","result":1,"status":"STARTED"}"#, for: id)
        #expect(try await !self.store.record(JobStatus(id: id, state: .pending)))
        #expect(try await self.store.record(Self.success(id, 2)))
        #expect(try await self.store.status(of: id)?.result == 2)
    }

    @Test(arguments: [
        "\0celery-compressed\0application/x-gzip\0\u{1}\u{2}",
        String(repeating: "[", count: 200) + String(repeating: "]", count: 200),
        "[" + String(repeating: " ", count: 5 * 1024 * 1024) + "]",
    ])
    func `a result that cannot be read is said to be one, and stays`(_ value: String) async throws {
        let id = JobID()
        try await self.plant(value, for: id)
        let error = try await expectThrows(QueueError.self) { try await self.store.status(of: id) }
        #expect(error.code == .undecodableResult)
        #expect(try await !self.store.record(JobStatus(id: id, state: .started)))
        let waited = try await expectThrows(QueueError.self) { try await self.store.finalStatus(of: id, within: .seconds(3600)) }
        #expect(waited.code == .undecodableResult)
        _ = try await self.send("DEL", .init(self.key(id)))
    }

    @Test(arguments: ["hello", "{}", "[]", "null", #"{"status":7}"#, #"{"state":"SUCCESS","task_id":"another"}"#, "{\"status\""])
    func `what is no result at all is an error to read, and is replaced`(_ value: String) async throws {
        let id = JobID()
        try await self.plant(value, for: id)
        #expect(try await expectThrows(QueueError.self) { try await self.store.status(of: id) }.code == .undecodableResult)
        #expect(try await self.store.record(JobStatus(id: id, state: .pending)))
        #expect(try await self.store.status(of: id)?.state == .pending)
    }

    @Test func `a key of another kind is an error to read, and is replaced`() async throws {
        let id = JobID()
        _ = try await self.send("RPUSH", .init(self.key(id)), "x")
        #expect(try await expectThrows(QueueError.self) { try await self.store.status(of: id) }.code == .undecodableResult)
        try await self.store.withdraw(id)
        #expect(try await self.store.record(Self.success(id, 1)))
        #expect(try await self.store.status(of: id)?.result == 1)
    }

    @Test func `of a value that is too long no more is fetched than shows it`() async throws {
        // A reply over the client's limit would cost all its callers the connection.
        let server = try await PrivateRedis.running()
        var configuration = RedisConfiguration.patient
        configuration.replyLimits.bulkBytes = 5 * 1024 * 1024
        let redis = try RedisClient(server.url, configuration: configuration)
        let store = RedisResultStore(redis)
        let id = JobID()
        try await redis.send(RedisCommand("SETRANGE", [.init(self.key(id)), .init(50 * 1024 * 1024), "]"]))
        #expect(try await expectThrows(QueueError.self) { try await store.status(of: id) }.code == .undecodableResult)
        #expect(try await !store.record(Self.success(id)))
    }

    @Test func `an empty value is none`() async throws {
        let id = JobID()
        try await self.plant("", for: id)
        #expect(try await self.store.status(of: id) == nil)
        #expect(try await self.store.record(JobStatus(id: id, state: .pending)))
    }

    @Test func `a status beyond the limit is refused, and nothing is written`() async throws {
        let id = JobID()
        let error = try await expectThrows(QueueError.self) {
            try await self.store.record(Self.success(id, .string(String(repeating: "x", count: 5 * 1024 * 1024))))
        }
        #expect(error.code == .messageTooLarge)
        #expect(!error.message.contains("xxx"))
        #expect(try await self.store.status(of: id) == nil)
    }

    // MARK: Waiting

    @Test func `waits share one connection, and a foreign worker's word wakes them`() async throws {
        let server = try await PrivateRedis.running()
        let redis = try RedisClient(server.url, configuration: .patient)
        let store = RedisResultStore(redis)
        let ids = (0..<50).map { _ in JobID() }
        let waits = ids.map { id in PendingCall { try await store.finalStatus(of: id, within: .seconds(3600)) } }
        let other = try RedisClient(server.url, configuration: .patient)
        try await eventually("all have subscribed") {
            try await other.send(RedisCommand("PUBSUB", ["CHANNELS"])).array?.count == ids.count
        }
        for id in ids {
            let value = Self.celeryValue(id, "SUCCESS", result: "1")
            _ = try await other.send(RedisCommand("SET", [.init("celery-task-meta-\(id)"), .init(value)]))
            try await other.publish(.init(value), to: "celery-task-meta-\(id)")
        }
        for wait in waits { #expect(try await wait.value()?.result == 1) }
        // Two clients, and the one that listens.
        let clients = try await other.send(RedisCommand("CLIENT", ["LIST"])).string ?? ""
        #expect(clients.split(separator: "\n").count == 3)
        try await eventually("nobody listens any more") {
            try await other.send(RedisCommand("PUBSUB", ["CHANNELS"])).array?.isEmpty == true
        }
    }

    @Test func `after a loss of the connection a wait looks again, since it may have missed the word`() async throws {
        let server = try await PrivateRedis.running()
        let store = RedisResultStore(try RedisClient(server.url, configuration: .patient))
        let other = try RedisClient(server.url, configuration: .patient)
        let id = JobID()
        let wait = PendingCall { try await store.finalStatus(of: id, within: .seconds(3600)) }
        // Before it waits, and once it listens.
        try await eventually("it has looked twice") {
            try await other.send(RedisCommand("INFO", ["commandstats"])).string?.contains("cmdstat_getrange:calls=2,") == true
        }
        _ = try await other.send(RedisCommand("SET", [.init(self.key(id)), .init(Self.celeryValue(id, "SUCCESS"))]))
        let killed = try await other.send(RedisCommand("CLIENT", ["KILL", "TYPE", "pubsub"]))
        #expect(killed == .integer(1))
        #expect(try await wait.value()?.result == 5)
    }

    @Test func `a wait survives a server that is killed`() async throws {
        let server = try await PrivateRedis.running()
        let store = RedisResultStore(try RedisClient(server.url, configuration: .patient))
        let other = try RedisClient(server.url, configuration: .patient)
        let id = JobID()
        let wait = PendingCall { try await store.finalStatus(of: id, within: .seconds(3600)) }
        try await eventually("it has subscribed") { try await other.send(RedisCommand("PUBSUB", ["CHANNELS"])).array?.count == 1 }
        try await server.kill()
        try await server.start()
        try await RedisResultStore(try RedisClient(server.url, configuration: .patient)).record(Self.success(id, 5))
        #expect(try await wait.value()?.result == 5)
    }

    @Test func `a store that is dropped closes its connection, and a client that is shut down ends the waits`() async throws {
        let server = try await PrivateRedis.running()
        let other = try RedisClient(server.url, configuration: .patient)
        let redis = try RedisClient(server.url, configuration: .patient)
        func clients() async throws -> Int {
            (try await other.send(RedisCommand("CLIENT", ["LIST"])).string ?? "").split(separator: "\n").count
        }
        do {
            let store = RedisResultStore(redis)
            let wait = PendingCall { try await store.finalStatus(of: JobID(), within: .seconds(3600)) }
            try await eventually("it listens") { try await clients() == 3 }
            wait.cancel()
            try await expectThrows(CancellationError.self) { try await wait.value() }
        }
        try await eventually("it is closed") { try await clients() == 2 }
        let store = RedisResultStore(redis)
        let wait = PendingCall { try await store.finalStatus(of: JobID(), within: .seconds(3600)) }
        try await eventually("it listens again") { try await clients() == 3 }
        await redis.shutdown()
        #expect(try await expectThrows(QueueError.self) { try await wait.value() }.code == .closed)
        #expect(try await expectThrows(QueueError.self) { try await store.status(of: JobID()) }.code == .closed)
    }

    // MARK: Faults

    private static func impatient(_ url: String) throws -> RedisClient {
        var configuration = RedisConfiguration()
        (configuration.connectTimeout, configuration.commandTimeout) = (.milliseconds(300), .milliseconds(300))
        return try RedisClient(url, configuration: configuration)
    }

    @Test func `a server that is stopped or frozen is an error of every verb, and serves again`() async throws {
        let server = try await PrivateRedis.running()
        let store = RedisResultStore(try Self.impatient(server.url))
        let id = JobID()
        let verbs: [@Sendable () async throws -> Void] = [
            { try await store.record(Self.success(JobID())) }, { _ = try await store.status(of: id) }, { try await store.withdraw(id) },
            { _ = try await store.finalStatus(of: id, within: .seconds(3600)) },
        ]
        func expectFailures() async throws {
            for verb in verbs {
                let error = try await expectThrows(QueueError.self) { try await verb() }
                #expect(error.code == .unavailable)
                #expect(error.message.contains("127.0.0.1:\(server.port)"))
            }
        }
        try await server.stop()
        try await expectFailures()
        try await server.start()
        try await eventually("it serves") { (try? await store.record(JobStatus(id: id, state: .pending))) != nil }
        server.freeze()
        try await expectFailures()
        server.thaw()
        try await eventually("it serves again") { (try? await store.record(Self.success(id, 9))) != nil }
        // One that is as impatient may find the server too slow once more.
        try await eventually("it tells what it has") { (try? await store.finalStatus(of: id, within: .seconds(60)))?.result == 9 }
    }

    @Test func `a server that is full refuses, and asking works`() async throws {
        let server = try await PrivateRedis.running("--maxmemory", "1", "--maxmemory-policy", "noeviction")
        let store = RedisResultStore(try RedisClient(server.url, configuration: .patient))
        let error = try await expectThrows(QueueError.self) { try await store.record(Self.success(JobID())) }
        #expect(error.code == .unavailable)
        #expect(try await store.status(of: JobID()) == nil)
    }
}
