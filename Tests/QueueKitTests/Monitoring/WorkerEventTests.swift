import ScaleCore
import Testing

@testable import QueueKit

/// The events in the form in which Celery 5.7 sends them.
@Suite struct WorkerEventTests {
    private static let node = MonitorNode(address: MonitorWorld.address, processID: 15_894, heartbeat: .seconds(2))
    private static let id = JobID(rawValue: "cb85")!
    private static let common = #""hostname":"w1@host","utcoffset":-1.0,"pid":15894,"clock":6,"timestamp":1795486386.5,"#
    private static let load =
        #""freq":2.0,"active":1,"processed":7,"loadavg":[1.76,1.43,0.84],"sw_ident":"scalekit","sw_ver":"0.1.0","sw_sys":"\#(ProcessSample.systemName)","#

    private static let received = WorkerEvent.Received(
        id: Self.id, name: "proj.add", arguments: "(2, 3)", keywordArguments: "{}", rootID: Self.id, parentID: nil, retries: 0, eta: nil,
        expires: UTCTime(millisecondsSinceEpoch: 1_795_486_393_750))

    @Test(
        arguments: [
            (.online(.init(active: 1, processed: 7)), Self.load + #""type":"worker-online""#),
            (.heartbeat(.init(active: 1, processed: 7)), Self.load + #""type":"worker-heartbeat""#),
            (.offline(.init(active: 1, processed: 7)), Self.load + #""type":"worker-offline""#),
            (
                .received(Self.received),
                #""uuid":"cb85","name":"proj.add","args":"(2, 3)","kwargs":"{}","root_id":"cb85","parent_id":null,"retries":0,"eta":null,"#
                    + #""expires":"2026-11-24T02:13:13.750000+00:00","type":"task-received""#
            ),
            (.started(Self.id), #""uuid":"cb85","type":"task-started""#),
            (
                .succeeded(Self.id, result: "5", runtime: .milliseconds(1500)),
                #""uuid":"cb85","result":"5","runtime":1.5,"type":"task-succeeded""#
            ),
            (
                .failed(Self.id, JobFailure("ValueError", "it's bad")),
                #""uuid":"cb85","exception":"ValueError(\"it's bad\")","traceback":"builtins.ValueError: it's bad","type":"task-failed""#
            ),
            (
                .retried(Self.id, JobFailure("KeyError", "again")),
                #""uuid":"cb85","exception":"KeyError('again')","traceback":"builtins.KeyError: again","type":"task-retried""#
            ),
            (
                .revoked(Self.id, isTerminated: true, isExpired: false),
                #""uuid":"cb85","terminated":true,"signum":15,"expired":false,"type":"task-revoked""#
            ),
            (
                .revoked(Self.id, isTerminated: false, isExpired: true),
                #""uuid":"cb85","terminated":false,"signum":null,"expired":true,"type":"task-revoked""#
            ),
            (.rejected(Self.id, isRequeued: true), #""uuid":"cb85","requeue":true,"type":"task-rejected""#),
        ] as [(WorkerEvent.Kind, String)])
    func `an event has Celery's fields`(_ kind: WorkerEvent.Kind, _ fields: String) throws {
        var sample = ProcessSample()
        sample.load = [1.7634, 1.43, 0.84]
        sample.hoursWestOfUTC = -1
        let event = WorkerEvent(kind: kind, time: MonitorWorld.time, clock: 6)
        #expect(event.json(of: Self.node, sample) == (try JSONParser.parse("{\(Self.common)\(fields)}")))
    }

    @Test func `one event goes to the key of its type, with the host in a header, and need not survive a restart`() {
        let event = WorkerEvent(kind: .started(Self.id), time: MonitorWorld.time, clock: 1)
        let publication = Self.node.publication(of: [event], ProcessSample())
        #expect(publication.exchange == "celeryev")
        #expect(publication.routingKey == "task.started")
        #expect(publication.message.properties.deliveryMode == 1)
        #expect(publication.message.properties.contentType == "application/json")
        #expect(publication.message.properties.contentEncoding == "utf-8")
        #expect(publication.message.headers == ["hostname": "w1@host"])
    }

    @Test func `several events of jobs are one message with a list`() throws {
        let events = [1, 2].map { WorkerEvent(kind: .started(Self.id), time: MonitorWorld.time, clock: $0) }
        let publication = Self.node.publication(of: events, ProcessSample())
        #expect(publication.routingKey == "task.multi")
        #expect(try JSONParser.parse(publication.message.body).arrayValue?.count == 2)
    }
}
