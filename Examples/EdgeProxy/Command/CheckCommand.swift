import ArgumentParser
import BalancerKitNginx

struct CheckCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "check", abstract: "Judge a file as nginx -t does, and tell what of it has no effect in the embedded proxy.")

    @OptionGroup var arguments: ConfigurationArguments

    func run() throws {
        let configuration = try self.arguments.read()
        print("\(self.arguments.file): the configuration is accepted")
        for entry in configuration.report.entries { print(entry) }
    }
}
