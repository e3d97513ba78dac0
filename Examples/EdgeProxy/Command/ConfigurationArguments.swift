import ArgumentParser
import BalancerKitNginx
import Foundation

/// The file that all commands take.
struct ConfigurationArguments: ParsableArguments {
    enum Context: String, ExpressibleByArgument, CaseIterable { case main, http }

    @Argument(help: "A whole nginx.conf, or with --context http a site fragment.")
    var file: String

    @Option(help: "Where the file belongs: main, or http for a file of sites-available.")
    var context = Context.main

    func read() throws -> NginxConfiguration {
        do {
            return try NginxConfiguration(contentsOf: self.file, context: self.context == .http ? .http : .main)
        } catch {
            throw OneLine(error.description)
        }
    }
}

/// An error as one line on standard error; the exit status is 1.
struct OneLine: Error, CustomStringConvertible {
    let description: String

    init(_ description: String) {
        self.description = description
    }
}

extension CompatibilityReport {
    /// One line for each entry.
    func writeToStandardError() {
        for entry in self.entries { FileHandle.standardError.write(Data("\(entry)\n".utf8)) }
    }
}
