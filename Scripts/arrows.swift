// Checks the arrows of the house: which of our targets may use which, and which packages from outside each kind may use; and that
// a target declares what it imports.
//
//     swift package describe --type json | swift Scripts/arrows.swift
//
// (SwiftPM's `--explicit-target-dependency-import-check` is content with what the dependencies of a dependency bring along.)
import Foundation

struct Package: Decodable {
    var name: String
    var path: String
    var targets: [Target]
}

struct Target: Decodable {
    var name: String
    var type: String
    var path: String
    var sources: [String]
    var targetDependencies: [String]?
    var productDependencies: [String]?

    enum CodingKeys: String, CodingKey {
        case name, type, path, sources
        case targetDependencies = "target_dependencies"
        case productDependencies = "product_dependencies"
    }
}

// The rules. A target that no rule knows is an error: a new kind of room says here what it may use.

let kits: Set = ["BalancerKit", "CacheKit", "QueueKit", "SessionStore"]
let core: Set = ["ScaleCore"]

/// What every library may use from outside: small packages without system dependencies. No transport, no database, no web framework.
let everywhere: Set = [
    "Crypto", "DequeModule", "HeapModule", "Logging", "Metrics", "OrderedCollections", "ServiceLifecycle", "Tracing",
]
let transport: Set = [
    "NIOConcurrencyHelpers", "NIOCore", "NIOHTTP1", "NIOHTTP2", "NIOPosix", "NIOSSL", "NIOTLS", "X509",
]

/// What an integration may use beside its kit and the core.
let integrations: [String: (ours: Set<String>, theirs: Set<String>)] = [
    "Redis": (["ScaleRedis"], []),
    "Memcached": (["CScaleMemcached"], []),
    "RabbitMQ": (["CScaleRabbitMQ"], []),
    "SQLite": ([], ["GRDB", "GRDBSQLite"]),
    "Hummingbird": ([], ["HTTPTypes", "Hummingbird"]),
    "Proxy": ([], transport),
    // NGINX's language is another way to write the proxy's configuration.
    "Nginx": (["BalancerKitProxy"], []),
    "ACME": ([], transport.union(["AsyncHTTPClient"])),
]

struct Allowance {
    var ours: Set<String>
    var theirs: Set<String>
}

func allowance(for target: Target) -> Allowance? {
    let name = target.name
    if name == "ScaleCore" { return Allowance(ours: [], theirs: []) }
    if name == "ScaleRedis" { return Allowance(ours: core.union(["CScaleHiredis"]), theirs: everywhere.union(transport)) }
    if name == "ScaleTesting" { return Allowance(ours: core, theirs: []) }
    if kits.contains(name) { return Allowance(ours: core, theirs: everywhere) }

    guard let kit = kits.first(where: name.hasPrefix) else { return nil }
    let suffix = String(name.dropFirst(kit.count))
    if suffix == "Testing" { return Allowance(ours: core.union([kit, "ScaleTesting"]), theirs: everywhere) }
    guard let more = integrations[suffix] else { return nil }
    return Allowance(ours: core.union([kit]).union(more.ours), theirs: everywhere.union(more.theirs))
}

// What comes with the toolchain and the system.
let system: Set = [
    "Darwin", "Dispatch", "Foundation", "FoundationEssentials", "FoundationNetworking", "Glibc", "Musl", "SwiftOverlayShims",
    "Synchronization", "Testing", "XCTest",
]
/// Modules that a product of another name brings as its own.
let modules: [String: Set<String>] = ["Metrics": ["CoreMetrics"], "Tracing": ["Instrumentation", "ServiceContextModule"]]

/// The modules that a target's files import, each with a file that does.
func imports(of target: Target, in package: Package) -> [String: String] {
    let kinds: Set = ["struct", "class", "enum", "protocol", "typealias", "func", "let", "var"]
    var found: [String: String] = [:]
    for source in target.sources where source.hasSuffix(".swift") {
        let path = "\(package.path)/\(target.path)/\(source)"
        guard let text = try? String(contentsOfFile: path, encoding: .utf8) else { continue }
        var isInText = false  // a string of several lines may hold another language's imports
        for line in text.split(separator: "\n") {
            if line.components(separatedBy: "\"\"\"").count.isMultiple(of: 2) { isInText.toggle() }
            guard !isInText else { continue }
            let words = line.split(separator: " ")
            guard let index = words.firstIndex(of: "import"),
                words[..<index].allSatisfy({ $0.allSatisfy { $0.isLetter || "@_()".contains($0) } })
            else { continue }
            var name = words[(index + 1)...]
            if let first = name.first, kinds.contains(String(first)) { name = name.dropFirst() }
            if let module = name.first?.split(separator: ".").first { found[String(module)] = source }
        }
    }
    return found
}

let package = try JSONDecoder().decode(Package.self, from: FileHandle.standardInput.readDataToEndOfFile())
var complaints: [String] = []
var checked = 0
for target in package.targets {
    let declared = Set((target.targetDependencies ?? []) + (target.productDependencies ?? []))
    let known = declared.union(system).union(declared.flatMap { modules[$0] ?? [] })
    for (module, file) in imports(of: target, in: package) where !known.contains(module) {
        complaints.append("\(target.name) imports \(module) (\(file)) and does not declare it")
    }
}
for target in package.targets
where package.name == "ScaleKit" && target.type != "test" && target.type != "system-target" && target.path.hasPrefix("Sources/") {
    checked += 1
    guard let allowed = allowance(for: target) else {
        complaints.append("\(target.name): no rule in Scripts/arrows.swift says what this target may use")
        continue
    }
    for name in target.targetDependencies ?? [] where !allowed.ours.contains(name) {
        complaints.append("\(target.name) must not use \(name)")
    }
    for name in target.productDependencies ?? [] where !allowed.theirs.contains(name) {
        complaints.append("\(target.name) must not use the package product \(name)")
    }
}
if package.targets.isEmpty { complaints.append("no target found: what was read is not the description of a package") }
for complaint in complaints.sorted() { print("arrows: \(complaint)") }
print("arrows: \(package.targets.count) targets read, \(checked) libraries among them, \(complaints.count) wrong")
exit(complaints.isEmpty ? 0 : 1)
