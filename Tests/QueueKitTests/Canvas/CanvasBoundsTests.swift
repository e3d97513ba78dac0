import ScaleCore
import Testing

@testable import QueueKit

/// A short message that asks for very much.
@Suite struct CanvasBoundsTests {
    private static let parent = TaskMessage(task: Add.name, id: JobID(rawValue: "parent") ?? JobID())

    private static func expand(_ json: JSONValue, limits: CanvasLimits = .init()) throws -> [CanvasExpansion.Step] {
        try CanvasExpansion(
            try Canvas(json, limits: limits), with: 7, rest: [], after: self.parent, keepsChords: true,
            at: UTCTime(nanosecondsSinceEpoch: 0), limits: limits
        ).steps
    }

    private static func chainOfGroups(_ count: Int) -> JSONValue {
        let pair = CanvasTests.of("group", ["tasks": [CanvasTests.call("a", "a1"), CanvasTests.call("a", "a2")]])
        return CanvasTests.of("chain", ["tasks": .array([JSONValue](repeating: pair, count: count))])
    }

    @Test func `groups behind groups become chords in chords, as deep as whoever gets them can read`() throws {
        for count in [2, 30] {
            let steps = try Self.expand(Self.chainOfGroups(count))
            #expect(steps.count == 3)
            for case .call(let call) in steps {
                #expect(try TaskMessage(call.message.message(at: UTCTime(nanosecondsSinceEpoch: 0))).id == call.message.id)
            }
        }
        for count in [70, 300] {
            #expect(throws: Signature.Unusable.self) { try Self.expand(Self.chainOfGroups(count)) }
            // Also behind another step, where it only rides along.
            let first = CanvasTests.call("a", "a0")
            let chain = CanvasTests.of("chain", ["tasks": [first, Self.chainOfGroups(count)]])
            #expect(throws: Signature.Unusable.self) { try Self.expand(chain) }
        }
    }

    @Test func `a chord of which the body is nothing is refused`() {
        for body in [CanvasTests.of("group", ["tasks": []]), CanvasTests.of("chain", ["tasks": [CanvasTests.of("group", ["tasks": []])]])] {
            #expect(throws: Signature.Unusable.self) { try Self.expand(CanvasTests.chord([CanvasTests.call("a", "a1")], body)) }
        }
    }

    // A hundred for a hundred members are far beyond the test's bound, and once far below it.
    private static let zeros = JSONValue.array([JSONValue](repeating: 0, count: 100))
    private static let many = JSONObject((0..<100).map { ("k\($0)", 0) })

    private static func product(_ number: Int) -> JSONValue {
        let members = [JSONValue](repeating: CanvasTests.call("a", "a1"), count: 100)
        let tasks: JSONObject = ["tasks": .array(members)]
        let chord: JSONObject = ["kwargs": [:], "header": .array(members), "body": CanvasTests.call("z", "z1")]
        func with(_ type: String, _ keywords: JSONObject, _ options: JSONObject = [:], _ arguments: JSONValue = []) -> JSONValue {
            [
                "task": .string("celery.\(type)"), "args": arguments, "kwargs": .object(keywords), "options": .object(options),
                "subtask_type": .string(type), "immutable": false,
            ]
        }
        switch number {
        case 0: return with("group", tasks, self.many)
        case 1: return with("chain", tasks, ["link_error": self.zeros])
        case 2: return with("chord", chord, self.many)
        case 3: return with("chord", chord, [:], self.zeros)
        case 4:
            var keywords = chord
            keywords["kwargs"] = .object(self.many)
            return with("chord", keywords)
        case 5: return with("chord", ["kwargs": [:], "header": with("group", tasks, self.many), "body": CanvasTests.call("z", "z1")])
        // Handed down over one level more.
        case 6: return with("group", ["tasks": [with("chain", ["tasks": [with("group", tasks)]], self.many)]])
        default: return with("group", ["tasks": [with("chord", chord, ["chain": self.zeros])]], self.many)
        }
    }

    @Test(arguments: 0..<8) func `what is handed down to many is counted as often`(_ number: Int) throws {
        var limits = CanvasLimits()
        limits.maximumCarriedBytes = 400_000
        #expect(throws: Signature.Unusable.self) { try Self.expand(Self.product(number), limits: limits) }
        #expect(try !Self.expand(Self.product(number)).isEmpty)
    }

    @Test func `the errbacks of a chord that has failed are bounded in all, and doubles among many are found at once`() {
        let errbacks = (0..<3000).map { CanvasTests.call("e\($0)", "e\($0)") }
        let members = (0..<3000).map { CanvasTests.call("a", "a\($0)", $0 == 0 ? ["link_error": .array(errbacks)] : [:]) }
        let body = CanvasTests.of("group", ["tasks": .array(members)], ["link_error": .array(errbacks)])
        let followers = Followers(
            ofFailedChord: body, after: Self.parent, keepsChords: true, at: UTCTime(nanosecondsSinceEpoch: 0))
        #expect(followers.steps.count == CanvasLimits().maximumSignatures)
        #expect(followers.losses.count == 1)
        #expect(followers.losses.first?.heirs == Heirs())
    }

    /// A worker that ends before all was sent sends it again.
    @Test func `what is sent again is the same, also where a canvas brings no ids, and each call has its own`() {
        let members = [JSONValue](repeating: ["task": "a"], count: 3)
        let pair = CanvasTests.of("group", ["tasks": [["task": "b"], ["task": "b"]]])
        let chord = CanvasTests.chord(.array(members + [CanvasTests.chord([["task": "c"]], pair)]), ["task": "z"])
        var message = Self.parent
        message.embed["callbacks"] = [["task": "l"], chord, chord]
        message.embed["errbacks"] = [["task": "e"]]
        message.embed["chain"] = [["task": "y"], CanvasTests.of("group", ["tasks": .array(members)])]
        func steps() -> [Followers.Step] {
            let now = UTCTime(nanosecondsSinceEpoch: 0)
            return Followers(ofSuccess: message, 7, keepsChords: true, at: now).steps
                + Followers(ofFailure: message, keepsChords: true, at: now).steps
                + Followers(ofChord: ["task": "z"], [], after: message, keepsChords: true, at: now).steps
        }
        #expect(steps() == steps())
        let ids = steps().compactMap { if case .call(let call) = $0 { call.message.id } else { nil } }
        #expect(ids.count == 14)
        #expect(Set(ids).count == ids.count)
        let groups = steps().compactMap { if case .prepare(let plan) = $0 { plan.group } else { nil } }
        #expect(groups.count == 4 && Set(groups).count == 4)
        // An id that leaves no room for more is no reason to send nothing.
        message.id = JobID(rawValue: String(repeating: "i", count: 255)) ?? JobID()
        #expect(steps().count == 18)
    }
}
