import Programs
import ScaleTesting

/// The built `profile-service`, run as a user runs it.
enum ProfileServiceProgram {
    /// Runs it to its end.
    static func run(_ arguments: [String], environment: [String: String] = [:]) async throws -> ProgramOutcome {
        try await Running.start(arguments, environment: environment).outcome()
    }

    /// Runs that have not ended yet.
    enum Running {
        static func start(_ arguments: [String], environment: [String: String] = [:]) throws -> RunningProgram {
            try RunningProgram.start("profile-service", arguments, environment: environment)
        }
    }
}

extension RunningProgram {
    /// The port at which it listens, once it does: of `demo`'s greeting or `serve`'s log.
    func port() async throws -> Int {
        try await eventually(within: .seconds(60), "the program says where it listens; it said \(self.errors)") {
            let text = self.output + self.errors
            guard text.contains("Ctrl-C") || text.contains("serving") else { return nil }
            let place = text.firstMatch(of: /(?:http:\/\/|address=)127\.0\.0\.1:([0-9]+)/)
            return place.flatMap { Int($0.1) }
        }
    }
}
