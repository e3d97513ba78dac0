import QueueKit
import Testing

@testable import QueueKitRabbitMQ

@Suite struct ContentAssemblerTests {
    private let head = ContentAssembler.Head.deliver(tag: 1, consumer: "c", isRedelivered: false, exchange: "", routingKey: "q")

    @Test(arguments: 0...6) func `a body may be cut anywhere`(cut: Int) throws {
        let body = Array("abcdef".utf8)
        var assembler = ContentAssembler()
        try assembler.method(self.head)
        #expect(try assembler.header(.init(), headers: ["a": 1], messageID: "7", bodySize: 6) == nil)
        var content: ContentAssembler.Content?
        for piece in [body[..<cut], body[cut...]] where content == nil { content = try assembler.body(piece) }
        #expect(content?.message.body == body)
        #expect(content?.message.headers == ["a": 1])
        #expect(content?.messageID == "7")
        #expect(content?.isDamaged == false)
    }

    @Test func `a message without body is whole with its header, and the next one may follow`() throws {
        var assembler = ContentAssembler()
        for _ in 0..<2 {
            try assembler.method(self.head)
            let content = try #require(try assembler.header(.init(), headers: nil, messageID: nil, bodySize: 0))
            #expect(content.isDamaged)
            #expect(content.message.body.isEmpty)
        }
    }

    @Test func `frames in another order are a violation`() throws {
        var assembler = ContentAssembler()
        #expect(throws: ContentAssembler.Violation.self) { try assembler.header(.init(), headers: [:], messageID: nil, bodySize: 0) }
        #expect(throws: ContentAssembler.Violation.self) { try assembler.body([1]) }
        try assembler.method(self.head)
        #expect(throws: ContentAssembler.Violation.self) { try assembler.method(self.head) }
        #expect(throws: ContentAssembler.Violation.self) { try assembler.body([1]) }
        _ = try assembler.header(.init(), headers: [:], messageID: nil, bodySize: 2)
        #expect(throws: ContentAssembler.Violation.self) { try assembler.body([1, 2, 3]) }
    }
}
