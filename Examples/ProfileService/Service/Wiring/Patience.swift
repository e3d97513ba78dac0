/// How long the servers that the service stands on may take: no request is to wait long for one that is down or full, and a pause of a busy
/// machine is no failure.
public struct Patience: Hashable, Sendable {
    /// For the answer to one command of Redis or Memcached, and for what `/readyz` asks a part.
    public var answer: Duration

    public init(answer: Duration = .seconds(1)) {
        self.answer = answer
    }

    /// For a connection to Redis or Memcached.
    var connection: Duration { self.answer / 2 }
    /// For a connection to RabbitMQ, which takes several exchanges.
    var brokerConnection: Duration { self.answer * 2 }
    /// For an answer of RabbitMQ's, which may have to write to disk first.
    var brokerAnswer: Duration { self.answer * 5 }

    /// - Throws: `StartError` that names the flag.
    func check() throws {
        guard (.seconds(1) ... .seconds(3600)).contains(self.answer) else {
            throw StartError("--store-timeout \(self.answer.components.seconds): must be 1 to 3600 seconds")
        }
    }

    /// Of a tool, which has nothing else to do meanwhile.
    static let long = Patience(answer: .seconds(20))
}
