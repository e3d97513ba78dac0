import QueueKit
import ScaleCore
import Testing

/// What a canvas begins with, by tables: the forms are those that Celery 5.4 to 5.7 write.
@Suite struct CanvasTests {
    private static let parent: TaskMessage = {
        var message = TaskMessage(task: Add.name, id: JobID(rawValue: "parent") ?? JobID())
        message.rootID = JobID(rawValue: "root")
        return message
    }()

    static func call(_ task: String, _ id: String, _ options: JSONObject = [:], more: JSONObject = [:]) -> JSONValue {
        FollowerTests.signature(task, [], id: id, options, more: more)
    }

    static func of(_ type: String, _ keywords: JSONObject, _ options: JSONObject = [:]) -> JSONValue {
        FollowerTests.signature("celery.\(type)", [], options, more: ["kwargs": .object(keywords), "subtask_type": .string(type)])
    }

    static func group(_ id: String, _ tasks: [JSONValue]) -> JSONValue {
        self.of("group", ["tasks": .array(tasks)], ["task_id": .string(id)])
    }

    static func chord(_ header: JSONValue, _ body: JSONValue, _ options: JSONObject = [:]) -> JSONValue {
        self.of("chord", ["kwargs": [:], "header": header, "body": body], options)
    }

    private static func expand(
        _ json: JSONValue, rest: [JSONValue] = [], keepsChords: Bool = true, limits: CanvasLimits = .init()
    ) throws -> [CanvasExpansion.Step] {
        try CanvasExpansion(
            try Canvas(json, limits: limits), with: 7, rest: rest, after: self.parent, keepsChords: keepsChords,
            at: UTCTime(nanosecondsSinceEpoch: 0), limits: limits
        ).steps
    }

    private static func calls(_ steps: [CanvasExpansion.Step]) -> [TaskMessage] {
        steps.compactMap { if case .call(let call) = $0 { call.message } else { nil } }
    }

    private static func id(_ json: JSONValue?) -> String? { json?.objectValue?["options"]?.objectValue?["task_id"]?.stringValue }

    @Test func `a group is sent member by member, with its id and their places, each on behalf of the job before`() throws {
        let steps = try Self.expand(
            Self.group(
                "g", [Self.call("a", "a1"), Self.group("inner", [Self.call("b", "b1")]), Self.call("c", "c1", more: ["immutable": true])]),
            rest: [Self.call("z", "z1")])
        let calls = Self.calls(steps)
        #expect(steps.count == 3)
        #expect(calls.map(\.id.rawValue) == ["a1", "b1", "c1"])
        #expect(calls.map(\.group) == ["g", "g", "g"])
        #expect(calls.map(\.groupIndex) == [0, 1, 2])
        #expect(calls.map(\.arguments) == [[7], [7], []])
        #expect(calls.allSatisfy { $0.parentID?.rawValue == "parent" && $0.rootID?.rawValue == "root" })
        #expect(calls.allSatisfy { Self.id($0.embed["chain"]?.arrayValue?.first) == "z1" })
        #expect(calls.allSatisfy { $0.embed["chord"]?.isNull == true })
    }

    @Test(arguments: [true, false])
    func `a chord sends its header, and the body with the rest of the chain in each of it`(_ hasGroup: Bool) throws {
        // A list in the form of 5.6 and before, whose members carry the body already.
        let body = Self.call("z", "z1")
        let members = [Self.call("a", "a1", hasGroup ? [:] : ["chord": body]), Self.call("b", "b1", hasGroup ? [:] : ["chord": body])]
        let header = hasGroup ? Self.group("g", members) : .array(members)
        let steps = try Self.expand(Self.chord(header, body, ["task_id": "g"]), rest: [Self.call("y", "y1")])
        let calls = Self.calls(steps)
        #expect(steps.count == 3)
        #expect(steps.dropFirst().first == .prepare(ChordPlan(group: "g", size: 2)), "right before the last one")
        #expect(calls.map(\.group) == ["g", "g"] && calls.map(\.groupIndex) == [0, 1])
        for call in calls {
            #expect(call.embed["chain"]?.isNull == true)
            let options = call.embed["chord"]?.objectValue?["options"]?.objectValue
            #expect(options?["task_id"] == "z1" && options?["group_id"] == "g")
            #expect(Self.id(options?["chain"]?.arrayValue?.first) == "y1")
        }
        // The body goes on with that rest.
        let sent = Self.calls(try Self.expand(try #require(calls.first?.embed["chord"])))
        #expect(sent.map(\.id.rawValue) == ["z1"])
        #expect(Self.id(sent.first?.embed["chain"]?.arrayValue?.first) == "y1")
    }

    @Test func `a chord in a header counts for the outer one by its body, and a chain by its last step`() throws {
        let inner = Self.chord(Self.group("inner", [Self.call("b", "b1"), Self.call("b", "b2")]), Self.call("c", "c1"))
        let chain = Self.of("chain", ["tasks": [Self.call("d", "d1"), Self.call("e", "e1")]])
        let pair = Self.of("chain", ["tasks": [Self.call("f", "f1"), Self.group("fg", [Self.call("g", "g1"), Self.call("g", "g2")])]])
        let steps = try Self.expand(Self.chord(Self.group("outer", [inner, chain, pair]), Self.call("z", "z1")))
        let plans = steps.compactMap { if case .prepare(let plan) = $0 { plan } else { nil } }
        #expect(plans.map(\.group) == ["inner", "outer"] && plans.map(\.size) == [2, 4])
        #expect(
            plans.last?.shape == [
                ["outer", nil],
                [[["c1", nil], nil], [["e1", nil], nil], [["fg", nil], [[["g1", nil], nil], [["g2", nil], nil]]]],
            ])
        #expect(plans.first?.shape == nil)
        let calls = Self.calls(steps)
        #expect(calls.map(\.id.rawValue) == ["b1", "b2", "d1", "f1"])
        #expect(calls.map(\.group) == ["inner", "inner", nil, nil])
        let body = try #require(calls.first?.embed["chord"]?.objectValue?["options"]?.objectValue)
        #expect(body["group_id"] == "outer" && body["group_index"] == 0 && Self.id(body["chord"]) == "z1")
        let last = try #require(calls[2].embed["chain"]?.arrayValue?.first?.objectValue?["options"]?.objectValue)
        #expect(last["group_id"] == "outer" && last["group_index"] == 1 && Self.id(last["chord"]) == "z1")
    }

    @Test func `a chain sends its first step, and a group with something behind it becomes a chord`() throws {
        let chain = Self.of(
            "chain",
            [
                "tasks": [
                    Self.of("chain", ["tasks": [Self.call("a", "a1")]]), Self.group("g", [Self.call("b", "b1"), Self.call("b", "b2")]),
                    Self.group("empty", []), Self.call("c", "c1"),
                ]
            ], ["link_error": Self.call("err", "e1"), "link": Self.call("l", "l1"), "queue": "other"])
        let steps = try Self.expand(chain, rest: [Self.call("y", "y1")])
        #expect(steps.count == 1)
        guard case .call(let first)? = steps.first else { return }
        #expect(first.message.id.rawValue == "a1" && first.queue == "other")
        #expect(Self.id(first.message.embed["errbacks"]?.arrayValue?.first) == "e1")
        let rest = try #require(first.message.embed["chain"]?.arrayValue)
        #expect(rest.count == 2 && Self.id(rest[0]) == "y1")
        #expect(rest[1].objectValue?["subtask_type"] == "chord")
        let body = rest[1].objectValue?["kwargs"]?.objectValue?["body"]
        #expect(Self.id(body) == "c1")
        #expect(Self.id(body?.objectValue?["options"]?.objectValue?["link"]?.arrayValue?.first) == "l1")
        #expect(Heirs(of: rest).ids.map(\.rawValue) == ["y1", "c1", "g", "b1", "b2"])
    }

    @Test func `a chord's time is its header's to wait for, and the body begins with the results`() throws {
        for options in [["countdown": 10], ["eta": "1970-01-01T00:00:10+00:00"]] as [JSONObject] {
            let chord = Self.chord(.array([Self.call("a", "a1"), Self.call("b", "b1")]), Self.call("z", "z1"), options)
            let calls = Self.calls(try Self.expand(chord))
            #expect(calls.map(\.eta) == [UTCTime(nanosecondsSinceEpoch: 10_000_000_000), UTCTime(nanosecondsSinceEpoch: 10_000_000_000)])
            let body = Self.calls(try Self.expand(try #require(calls.first?.embed["chord"])))
            #expect(body.map(\.id.rawValue) == ["z1"] && body.map(\.eta) == [nil])
        }
    }

    @Test func `what follows a group's success follows its first member's, and its errbacks follow each one's failure`() throws {
        let members = [Self.call("a", "a1"), Self.call("b", "b1")]
        let chain = Self.of(
            "chain", ["tasks": [Self.group("g", members)]], ["link": Self.call("l", "l1"), "link_error": Self.call("err", "e1")])
        let calls = Self.calls(try Self.expand(chain))
        #expect(calls.map(\.id.rawValue) == ["a1", "b1"])
        #expect(calls.map { $0.embed["callbacks"]?.arrayValue?.compactMap(Self.id) ?? [] } == [["l1"], []])
        #expect(calls.map { $0.embed["errbacks"]?.arrayValue?.compactMap(Self.id) ?? [] } == [["e1"], ["e1"]])
    }

    @Test func `the header of an immutable chord gets nothing from the job before it`() throws {
        for isImmutable in [false, true] {
            let chord = FollowerTests.signature(
                "celery.chord", [],
                more: [
                    "kwargs": ["kwargs": [:], "header": [Self.call("a", "a1"), Self.call("b", "b1")], "body": Self.call("z", "z1")],
                    "subtask_type": "chord", "immutable": .bool(isImmutable),
                ])
            #expect(Self.calls(try Self.expand(chord)).map(\.arguments) == (isImmutable ? [[], []] : [[7], [7]]))
        }
    }

    @Test func `a chord without a header sends its body with nothing`() throws {
        let steps = try Self.expand(Self.chord(Self.group("g", []), Self.call("z", "z1")), rest: [Self.call("y", "y1")])
        #expect(Self.calls(steps).map(\.arguments) == [[[]]])
        #expect(Self.id(Self.calls(steps).first?.embed["chain"]?.arrayValue?.first) == "y1")
        #expect(steps.count == 1)
    }

    @Test func `what is written is what Celery reads, and read again it is the same`() throws {
        let canvases = [
            Self.call("a", "a1"), Self.group("g", [Self.call("a", "a1")]),
            Self.chord(Self.group("g", [Self.call("a", "a1")]), Self.call("z", "z1"), ["task_id": "g"]),
            Self.of("chain", ["tasks": [Self.call("a", "a1"), Self.call("b", "b1")]], ["task_id": "b1"]),
        ]
        for json in canvases {
            let canvas = try Canvas(json)
            #expect(canvas.json.objectValue?.keys == ["task", "args", "kwargs", "options", "subtask_type", "immutable"])
            #expect(canvas.json == json)
        }
    }

    // MARK: What is refused

    private static func nested(_ depth: Int) -> JSONValue {
        (0..<depth).reduce(Self.call("a", "a1")) { inner, _ in Self.chord([inner], Self.call("z", "z1")) }
    }

    /// By number: as arguments of a test they would be described, at great length.
    private static func refused(_ number: Int) -> JSONValue {
        switch number {
        case 0: return Self.nested(64)
        case 1: return Self.group("g", [JSONValue](repeating: Self.call("a", "a1"), count: 10_000))
        case 2: return Self.of("group", ["tasks": .array([JSONValue](repeating: .null, count: 1_000_000))])
        case 3: return Self.of("group", ["tasks": .integer(5)])
        case 4: return Self.of("chain", ["tasks": .string("5")])
        case 5: return Self.of("group", [:])
        case 6: return Self.chord(.string("5"), Self.call("z", "z1"))
        case 7: return Self.group("g", [.integer(5)])
        case 8: return Self.of("chord", ["body": Self.call("z", "z1")])
        case 9: return Self.of("chord", ["header": .array([])])
        case 10: return Self.chord(.array([]), .array([]))
        case 11: return Self.group("g", [Self.call("", "a1")])
        case 12: return Self.of("chunks", [:])
        case 13: return Self.group("g", [Self.call("a", "a1", ["eta": .string("soon")])])
        default:
            // A body of 100 kB in each of a thousand members.
            let body = FollowerTests.signature("z", [.string(String(repeating: "x", count: 100_000))], id: "z1")
            return Self.chord(.array([JSONValue](repeating: Self.call("a", "a1"), count: 1000)), body)
        }
    }

    @Test(arguments: 0..<15)
    func `what is no canvas, or one without bounds, is refused with a reason`(_ number: Int) {
        let json = Self.refused(number)
        #expect(throws: Signature.Unusable.self) { try Self.expand(json) }
    }

    @Test func `what is within the bounds is sent, and a chord only where its parts are counted`() throws {
        #expect(try Self.calls(Self.expand(Self.nested(60))).count == 1)
        #expect(try Self.calls(Self.expand(Self.group("g", Array(repeating: Self.call("a", "a1"), count: 9_999)))).count == 9_999)
        #expect(throws: Signature.Unusable.self) { try Self.expand(Self.nested(1), keepsChords: false) }
        // Places that are text are places of nowhere.
        let odd = Self.group("g", [Self.call("a", "a1", ["group_index": "7", "group_id": 5, "priority": "9"])])
        #expect(try Self.calls(Self.expand(odd)).map(\.groupIndex) == [0])
    }

    @Test func `heirs are found in whatever is given, up to a bound`() {
        let odd: [JSONValue] = [
            5, nil, "x", [:], ["options": 7, "kwargs": 8], Self.of("group", ["tasks": 5]), Self.of("chord", ["header": 5]),
        ]
        #expect(Heirs(of: odd) == Heirs())
        #expect(Heirs(of: [Self.group("g", (0..<1000).map { Self.call("a", "a\($0)") })], limit: 10).ids.count == 10)
        let member = Self.call("a", "a1", ["chord": Self.call("z", "z1"), "group_id": "g", "group_index": 3])
        #expect(Heirs(of: [member]).members.map(\.job.rawValue) == ["a1"])
        #expect(Heirs(of: [Self.chord([member], Self.call("y", "y1"))]).members.isEmpty, "they count for a chord that is told itself")
    }
}

@Suite struct ChordDecisionTests {
    private static func part(_ id: String, _ state: String, _ result: JSONValue) -> JSONValue { [1, .string(id), .string(state), result] }
    private static let error: JSONValue = ["exc_type": "ValueError", "exc_message": ["it's", 2], "exc_module": "builtins"]

    private static func message(_ decision: ChordDecision) -> String? {
        if case .fail(let failure, _) = decision, failure.type == "ChordError", failure.module == "celery.exceptions" {
            failure.message
        } else {
            nil
        }
    }

    @Test func `others see to a chord that is not full, and one that is full twice is asked for again`() {
        #expect(ChordDecision(after: .over) == .leave)
        #expect(ChordDecision(after: .counted(ended: 2, size: nil)) == .leave)
        #expect(ChordDecision(after: .counted(ended: 2, size: 3)) == .leave)
        #expect(ChordDecision(after: .counted(ended: 4, size: 3)) == .leave)
        #expect(ChordDecision(after: .counted(ended: 3, size: 3)) == .askAgain)
    }

    @Test func `the results go to the body in their order, and in the form of the header where that was saved`() {
        let parts = [Self.part("a", "SUCCESS", 1), Self.part("b", "SUCCESS", [2]), Self.part("c", "SUCCESS", nil)]
        #expect(ChordDecision(after: .complete(parts: parts, shape: nil)) == .send([1, [2], nil]))
        let shape: JSONValue = [["g", nil], [[["c", nil], nil], [["h", ["p", nil]], [[["a", nil], nil], [["b", nil], nil]]]]]
        #expect(ChordDecision(after: .complete(parts: parts, shape: shape)) == .send([nil, [1, [2]]]))
    }

    @Test func `the first part that has failed or was revoked fails the chord, in Python's words`() {
        let parts = [Self.part("a", "SUCCESS", 1), Self.part("b", "FAILURE", Self.error), Self.part("c", "REVOKED", Self.error)]
        let decision = ChordDecision(after: .complete(parts: parts, shape: nil))
        #expect(Self.message(decision) == #"Dependency b raised ValueError("it's", 2)"#)
        if case .fail(_, let cause) = decision { #expect(cause.type == "ValueError") }
        #expect(Self.message(ChordDecision(after: .complete(parts: [parts[2]], shape: nil)))?.hasPrefix("Dependency c raised") == true)
    }

    @Test(
        arguments: [
            ([5], nil), ([[1, 2]], nil), ([[1, 2, "SUCCESS", 1]], nil), ([[1, "", "SUCCESS", 1]], nil), ([[1, "a", "SUCCESS", 1]], 5),
            ([[1, "a", "SUCCESS", 1]], [["g", nil], [[["b", nil], nil]]]), ([[1, "a", "SUCCESS", 1]], [["g", nil], [5]]),
            ([[1, "a", "SUCCESS", 1]], (0..<100).reduce([["a", nil], nil] as JSONValue) { inner, _ in [["g", nil], [inner]] }),
        ] as [([JSONValue], JSONValue?)])
    func `parts that cannot be read fail the chord`(_ parts: [JSONValue], _ shape: JSONValue?) {
        #expect(Self.message(ChordDecision(after: .complete(parts: parts, shape: shape)))?.hasPrefix("Join error: ") == true)
    }
}
