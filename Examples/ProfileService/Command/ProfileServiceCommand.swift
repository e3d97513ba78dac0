import ArgumentParser
import ProfileService

@main
struct ProfileServiceCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "profile-service",
        abstract: "A profile service on ScaleKit: cache, sessions, jobs and a proxy, in one process or in many.",
        discussion: """
            Start with `profile-service demo`: it needs no server and shows everything at work.

            Each option of serve, worker and proxy, and --queue and --results of jobs, can come from the environment as well, as PROFILE_SERVICE_ and its name in \
            capitals: PROFILE_SERVICE_LISTEN for --listen. A flag wins over the environment.
            """,
        subcommands: [DemoCommand.self, ServeCommand.self, WorkerCommand.self, ProxyCommand.self, JobsCommand.self, SmokeCommand.self],
        defaultSubcommand: nil)
}
