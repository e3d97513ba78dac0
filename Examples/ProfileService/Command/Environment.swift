import ArgumentParser
import Configuration
import ProfileService

/// Options that were not given as flags, from `PROFILE_SERVICE_…` in the environment.
struct Environment {
    private let reader = ConfigReader(provider: EnvironmentVariablesProvider()).scoped(to: "profile.service")

    /// The flag's value, else the environment's, else the default.
    ///
    /// - Throws: `StartError` that names the variable when it cannot be read as the option's type.
    func value<Value: ExpressibleByArgument>(_ flag: Value?, _ name: String, default fallback: @autoclosure () -> Value) throws -> Value {
        try flag ?? self.value(name) ?? fallback()
    }

    func value<Value: ExpressibleByArgument>(_ name: String) throws -> Value? {
        guard let text = self.text(name) else { return nil }
        guard let value = Value(argument: text) else {
            throw StartError("\(Self.variable(name)): cannot be read as --\(name); see the option's help")
        }
        return value
    }

    /// Several values, separated by commas.
    func values<Value: ExpressibleByArgument>(_ flags: [Value], _ name: String) throws -> [Value] {
        guard flags.isEmpty, let text = self.text(name) else { return flags }
        return try text.split(separator: ",").map { part in
            guard let value = Value(argument: String(part)) else {
                throw StartError("\(Self.variable(name)): cannot be read as a list of --\(name), separated by commas")
            }
            return value
        }
    }

    private func text(_ name: String) -> String? {
        self.reader.string(forKey: ConfigKey(name.split(separator: "-").map(String.init)))
    }

    private static func variable(_ name: String) -> String {
        "PROFILE_SERVICE_" + name.uppercased().replacing("-", with: "_")
    }
}
