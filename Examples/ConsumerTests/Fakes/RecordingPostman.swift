public import Bookshop
public import ScaleTesting

/// A postman who writes down what he delivers, and whom a test can send away.
public final class RecordingPostman: Postman {
    public struct Mail: Hashable, Sendable {
        public let text: String
        public let email: String

        public init(text: String, email: String) {
            self.text = text
            self.email = email
        }
    }

    public let mails = RecordedFacts<Mail>()
    public let faults = FaultScript<String>()

    public init() {}

    public func deliver(_ text: String, to email: String) async throws {
        try await self.faults.perform(email) { self.mails.record(Mail(text: text, email: email)) }
    }
}
