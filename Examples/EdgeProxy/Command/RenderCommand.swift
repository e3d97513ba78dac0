import ArgumentParser
import BalancerKitNginx

struct RenderCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "render", abstract: "Write a whole nginx.conf that does what the embedded proxy does with a file.")

    @OptionGroup var arguments: ConfigurationArguments

    func run() throws {
        let configuration = try self.arguments.read()
        let text: String
        do {
            text = try NginxFile(configuration.proxies).text
        } catch {
            throw OneLine("\(self.arguments.file): \(error.description)")
        }
        configuration.report.writeToStandardError()
        print(text, terminator: "")
    }
}
