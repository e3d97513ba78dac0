// swift-tools-version: 6.2
import PackageDescription

// Side-by-side runs of ScaleKit and of what it is measured against, in one process or one session, reported as ratios.

/// As in the root's manifest: our warnings are errors when we check ourselves.
let strictness: [SwiftSetting] = Context.environment["SCALEKIT_STRICT"] == nil ? [] : [.treatAllWarnings(as: .error)]

let swiftSettings: [SwiftSetting] =
    strictness + [
        .enableUpcomingFeature("ExistentialAny"),
        .enableUpcomingFeature("InternalImportsByDefault"),
        .enableUpcomingFeature("MemberImportVisibility"),
        .enableUpcomingFeature("NonisolatedNonsendingByDefault"),
    ]

func scaleKit(_ product: String) -> Target.Dependency { .product(name: product, package: "ScaleKit") }

let package = Package(
    name: "ScaleKitBenchmarks",
    platforms: [.macOS(.v15)],
    dependencies: [
        .package(name: "ScaleKit", path: ".."),
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
        .package(url: "https://github.com/groue/GRDB.swift", from: "7.10.0"),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
        .package(url: "https://github.com/apple/swift-metrics", from: "2.13.0"),
        .package(url: "https://github.com/swift-server/swift-service-lifecycle", from: "2.13.0"),
    ],
    targets: [
        .target(name: "Harness", swiftSettings: swiftSettings),
        .target(name: "CHTTPLoad"),
        .target(name: "CMemcachedBaseline", linkerSettings: [.linkedLibrary("memcached")]),
        .target(name: "CRabbitMQBaseline", linkerSettings: [.linkedLibrary("rabbitmq")]),
        .target(name: "CRedisBaseline", linkerSettings: [.linkedLibrary("hiredis")]),
        .executableTarget(
            name: "bench",
            dependencies: [
                "CHTTPLoad",
                "CMemcachedBaseline",
                "CRabbitMQBaseline",
                "CRedisBaseline",
                "Harness",
                scaleKit("BalancerKit"),
                scaleKit("BalancerKitProxy"),
                scaleKit("CacheKit"),
                scaleKit("CacheKitMemcached"),
                scaleKit("QueueKit"),
                scaleKit("QueueKitRabbitMQ"),
                scaleKit("QueueKitSQLite"),
                scaleKit("ScaleCore"),
                scaleKit("ScaleRedis"),
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
                .product(name: "GRDB", package: "GRDB.swift"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "Metrics", package: "swift-metrics"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
                .product(name: "UnixSignals", package: "swift-service-lifecycle"),
            ],
            swiftSettings: swiftSettings),
    ],
    swiftLanguageModes: [.v6]
)
