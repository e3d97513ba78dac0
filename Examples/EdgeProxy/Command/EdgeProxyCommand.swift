import ArgumentParser

@main
struct EdgeProxyCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "edge-proxy",
        abstract: "Checks, runs and renders configuration files of nginx, without nginx.",
        subcommands: [CheckCommand.self, RunCommand.self, RenderCommand.self])
}
