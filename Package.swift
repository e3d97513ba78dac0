// swift-tools-version: 6.2
import PackageDescription

/// Our warnings are errors when we check ourselves (`make lint`, CI), never for a consumer, whose compiler may warn of more.
let strictness: [SwiftSetting] = Context.environment["SCALEKIT_STRICT"] == nil ? [] : [.treatAllWarnings(as: .error)]

/// One set of language settings for every Swift target of the package.
let swiftSettings: [SwiftSetting] =
    strictness + [
        .enableUpcomingFeature("ExistentialAny"),
        .enableUpcomingFeature("InternalImportsByDefault"),
        .enableUpcomingFeature("MemberImportVisibility"),
        .enableUpcomingFeature("NonisolatedNonsendingByDefault"),
    ]

// External products, by the name under which the targets below use them.
let crypto = Target.Dependency.product(name: "Crypto", package: "swift-crypto")
let deque = Target.Dependency.product(name: "DequeModule", package: "swift-collections")
let grdb = Target.Dependency.product(name: "GRDB", package: "GRDB.swift", condition: .when(traits: ["SQLite"]))
let grdbSQLite = Target.Dependency.product(name: "GRDBSQLite", package: "GRDB.swift", condition: .when(traits: ["SQLite"]))
let heap = Target.Dependency.product(name: "HeapModule", package: "swift-collections")
let httpTypes = Target.Dependency.product(name: "HTTPTypes", package: "swift-http-types")
let hummingbird = Target.Dependency.product(
    name: "Hummingbird", package: "hummingbird", condition: .when(traits: ["Hummingbird"]))
let hummingbirdTesting = Target.Dependency.product(
    name: "HummingbirdTesting", package: "hummingbird", condition: .when(traits: ["Hummingbird"]))
let inMemoryLogging = Target.Dependency.product(name: "InMemoryLogging", package: "swift-log")
let inMemoryTracing = Target.Dependency.product(name: "InMemoryTracing", package: "swift-distributed-tracing")
let lifecycle = Target.Dependency.product(name: "ServiceLifecycle", package: "swift-service-lifecycle")
let logging = Target.Dependency.product(name: "Logging", package: "swift-log")
let metrics = Target.Dependency.product(name: "Metrics", package: "swift-metrics")
let metricsTestKit = Target.Dependency.product(name: "MetricsTestKit", package: "swift-metrics")
let nioCore = Target.Dependency.product(name: "NIOCore", package: "swift-nio")
let nioEmbedded = Target.Dependency.product(name: "NIOEmbedded", package: "swift-nio")
let nioPosix = Target.Dependency.product(name: "NIOPosix", package: "swift-nio")
let nioSSL = Target.Dependency.product(name: "NIOSSL", package: "swift-nio-ssl")
let nioTLS = Target.Dependency.product(name: "NIOTLS", package: "swift-nio")
let tracing = Target.Dependency.product(name: "Tracing", package: "swift-distributed-tracing")

/// A library target under `Sources/`.
func room(_ name: String, _ dependencies: [Target.Dependency]) -> Target {
    .target(name: name, dependencies: dependencies, swiftSettings: swiftSettings)
}

/// A test target under `Tests/`.
func tests(_ name: String, _ dependencies: [Target.Dependency], exclude: [String] = []) -> Target {
    .testTarget(name: name, dependencies: dependencies, exclude: exclude, swiftSettings: swiftSettings)
}

let package = Package(
    name: "ScaleKit",
    platforms: [.macOS(.v15)],
    products: [
        .library(name: "CacheKit", targets: ["CacheKit"]),
        .library(name: "CacheKitMemcached", targets: ["CacheKitMemcached"]),
        .library(name: "CacheKitRedis", targets: ["CacheKitRedis"]),
        .library(name: "CacheKitTesting", targets: ["CacheKitTesting"]),
        .library(name: "BalancerKit", targets: ["BalancerKit"]),
        .library(name: "BalancerKitNginx", targets: ["BalancerKitNginx"]),
        .library(name: "BalancerKitProxy", targets: ["BalancerKitProxy"]),
        .library(name: "BalancerKitTesting", targets: ["BalancerKitTesting"]),
        .library(name: "QueueKit", targets: ["QueueKit"]),
        .library(name: "QueueKitRabbitMQ", targets: ["QueueKitRabbitMQ"]),
        .library(name: "QueueKitRedis", targets: ["QueueKitRedis"]),
        .library(name: "QueueKitSQLite", targets: ["QueueKitSQLite"]),
        .library(name: "QueueKitTesting", targets: ["QueueKitTesting"]),
        .library(name: "ScaleCore", targets: ["ScaleCore"]),
        .library(name: "ScaleRedis", targets: ["ScaleRedis"]),
        .library(name: "ScaleTesting", targets: ["ScaleTesting"]),
        .library(name: "SessionStore", targets: ["SessionStore"]),
        .library(name: "SessionStoreHummingbird", targets: ["SessionStoreHummingbird"]),
        .library(name: "SessionStoreRedis", targets: ["SessionStoreRedis"]),
        .library(name: "SessionStoreTesting", targets: ["SessionStoreTesting"]),
    ],
    traits: [
        .trait(name: "Hummingbird", description: "SessionStoreHummingbird: sessions as Hummingbird middleware."),
        .trait(name: "SQLite", description: "QueueKitSQLite: a durable broker in a SQLite file, on GRDB."),
        .default(enabledTraits: ["Hummingbird", "SQLite"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-collections", from: "1.6.0"),
        .package(url: "https://github.com/apple/swift-crypto", from: "4.5.2"),
        .package(url: "https://github.com/apple/swift-distributed-tracing", from: "1.7.3"),
        .package(url: "https://github.com/apple/swift-http-types", from: "1.8.0"),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
        .package(url: "https://github.com/apple/swift-metrics", from: "2.13.0"),
        .package(url: "https://github.com/apple/swift-nio", from: "2.101.2"),
        .package(url: "https://github.com/apple/swift-nio-ssl", from: "2.37.6"),
        .package(url: "https://github.com/groue/GRDB.swift", from: "7.10.0"),
        .package(url: "https://github.com/hummingbird-project/hummingbird", from: "2.28.1"),
        .package(url: "https://github.com/swift-server/swift-service-lifecycle", from: "2.13.0"),
    ],
    targets: [
        // What more than one kit needs.
        .systemLibrary(name: "CScaleHiredis"),
        .systemLibrary(name: "CScaleMemcached"),
        .systemLibrary(name: "CScaleRabbitMQ"),
        room("ScaleCore", []),
        room("ScaleRedis", ["CScaleHiredis", "ScaleCore", crypto, deque, lifecycle, logging, metrics, nioCore, nioPosix, nioSSL]),
        room("ScaleTesting", ["ScaleCore"]),

        // Caching.
        room("CacheKit", ["ScaleCore", crypto, deque, logging, metrics, tracing]),
        room("CacheKitMemcached", ["CScaleMemcached", "CacheKit", "ScaleCore", crypto]),
        room("CacheKitRedis", ["CacheKit", "ScaleCore", "ScaleRedis", logging]),
        room("CacheKitTesting", ["CacheKit", "ScaleCore", "ScaleTesting"]),

        // Balancing.
        room("BalancerKit", ["ScaleCore", logging, metrics, tracing]),
        room(
            "BalancerKitProxy",
            [
                "BalancerKit", "ScaleCore", crypto, deque, lifecycle, logging, metrics, nioCore, nioPosix, nioSSL, nioTLS, tracing,
            ]),
        room("BalancerKitNginx", ["BalancerKit", "BalancerKitProxy", "ScaleCore", lifecycle, logging]),
        room("BalancerKitTesting", ["BalancerKit", "ScaleCore", "ScaleTesting"]),

        // Queues.
        room("QueueKit", ["ScaleCore", deque, heap, lifecycle, logging, metrics, tracing]),
        room("QueueKitRabbitMQ", ["CScaleRabbitMQ", "QueueKit", "ScaleCore", deque, logging]),
        room("QueueKitRedis", ["QueueKit", "ScaleCore", "ScaleRedis"]),
        room("QueueKitSQLite", ["QueueKit", "ScaleCore", deque, grdb, grdbSQLite, logging]),
        room("QueueKitTesting", ["QueueKit", "ScaleCore", "ScaleTesting"]),

        // Sessions.
        room("SessionStore", ["ScaleCore", crypto, heap, logging, metrics]),
        room("SessionStoreHummingbird", ["ScaleCore", "SessionStore", httpTypes, hummingbird, logging]),
        room("SessionStoreRedis", ["ScaleCore", "ScaleRedis", "SessionStore"]),
        room("SessionStoreTesting", ["ScaleCore", "ScaleTesting", "SessionStore"]),

        // Tests, one target per room. TestServers tells the tests where the private servers listen, and starts processes of their own. (How a
        // process is started it has by a link from the library that starts nginx.)
        .target(name: "TestServers", path: "Tests/TestServers", swiftSettings: swiftSettings),
        tests("DocumentationTests", []),
        tests("ScaleCoreTests", ["ScaleCore", "ScaleTesting"]),
        tests(
            "ScaleRedisTests",
            [
                "CScaleHiredis", "ScaleCore", "ScaleRedis", "ScaleTesting", "TestServers", lifecycle, logging, metrics, metricsTestKit,
                nioCore, nioPosix,
            ]),
        tests("ScaleTestingTests", ["ScaleCore", "ScaleTesting"]),
        tests("CacheKitTests", ["CacheKit", "CacheKitTesting", "ScaleCore", "ScaleTesting", logging, metricsTestKit]),
        tests(
            "CacheKitMemcachedTests",
            ["CacheKit", "CacheKitMemcached", "CacheKitTesting", "ScaleCore", "ScaleTesting", "TestServers"]),
        tests(
            "CacheKitRedisTests",
            ["CacheKit", "CacheKitRedis", "CacheKitTesting", "ScaleCore", "ScaleRedis", "ScaleTesting", "TestServers"]),
        tests(
            "BalancerKitTests",
            [
                "BalancerKit", "BalancerKitTesting", "ScaleCore", "ScaleTesting", inMemoryTracing, logging, metrics, metricsTestKit,
                tracing,
            ]),
        tests(
            "BalancerKitProxyTests",
            [
                "BalancerKit", "BalancerKitProxy", "BalancerKitTesting", "ScaleCore", "ScaleTesting", "TestServers", lifecycle, logging,
                metrics, metricsTestKit,
                nioCore, nioEmbedded, nioPosix, nioSSL, nioTLS, tracing,
            ]),
        tests(
            "BalancerKitNginxTests",
            [
                "BalancerKit", "BalancerKitNginx", "BalancerKitProxy", "ScaleCore", "ScaleTesting", "TestServers", lifecycle, logging,
                metrics, nioCore, nioPosix, nioSSL, tracing,
            ]),
        tests(
            "QueueKitTests",
            ["QueueKit", "QueueKitTesting", "ScaleCore", "ScaleTesting", inMemoryTracing, lifecycle, logging, metricsTestKit, tracing],
            exclude: ["Vectors/celery.json"]),
        .executableTarget(
            name: "RabbitMQWorkerProcess", dependencies: ["QueueKit", "QueueKitRabbitMQ", "ScaleCore"], path: "Tests/RabbitMQWorkerProcess",
            swiftSettings: swiftSettings),
        tests(
            "QueueKitRabbitMQTests",
            [
                "CScaleRabbitMQ", "QueueKit", "QueueKitRabbitMQ", "QueueKitSQLite", "QueueKitTesting", "RabbitMQWorkerProcess", "ScaleCore",
                "ScaleTesting",
                "TestServers", logging,
            ]),
        tests(
            "QueueKitRedisTests",
            ["QueueKit", "QueueKitRedis", "QueueKitTesting", "ScaleCore", "ScaleRedis", "ScaleTesting", "TestServers"]),
        // Beside real Celery, in Python processes.
        .testTarget(
            name: "InteropTests",
            dependencies: [
                "QueueKit", "QueueKitRabbitMQ", "QueueKitRedis", "ScaleCore", "ScaleRedis", "ScaleTesting", "TestServers", logging,
            ],
            path: "Tests/Interop", exclude: ["celery_app.py", "requirements.txt", "vectors.py"], swiftSettings: swiftSettings),
        // A worker in a process of its own, to be killed.
        .executableTarget(
            name: "SQLiteWorkerProcess", dependencies: ["QueueKit", "QueueKitSQLite", "ScaleCore"], path: "Tests/SQLiteWorkerProcess",
            swiftSettings: swiftSettings),
        tests(
            "QueueKitSQLiteTests",
            ["QueueKit", "QueueKitSQLite", "QueueKitTesting", "SQLiteWorkerProcess", "ScaleCore", "ScaleTesting", "TestServers", grdb]),
        tests(
            "SessionStoreTests",
            ["ScaleCore", "ScaleTesting", "SessionStore", "SessionStoreTesting", inMemoryLogging, logging, metricsTestKit]),
        tests(
            "SessionStoreHummingbirdTests",
            [
                "ScaleCore", "ScaleTesting", "SessionStore", "SessionStoreHummingbird", "SessionStoreTesting", httpTypes,
                hummingbird, hummingbirdTesting, logging, nioCore,
            ]),
        tests(
            "SessionStoreRedisTests",
            ["ScaleCore", "ScaleRedis", "ScaleTesting", "SessionStore", "SessionStoreRedis", "SessionStoreTesting", "TestServers"]),
    ],
    swiftLanguageModes: [.v6]
)
