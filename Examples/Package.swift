// swift-tools-version: 6.2
import PackageDescription

// A package of its own that depends on ScaleKit by path, as an outside project would by URL.

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

/// What the consumer's tests stand on: the kits and what each brings for tests.
let consumerTesting = [
    "BalancerKit", "BalancerKitTesting", "CacheKit", "CacheKitTesting", "QueueKit", "QueueKitTesting", "ScaleCore", "ScaleTesting",
    "SessionStore", "SessionStoreTesting",
].map(scaleKit)

let package = Package(
    name: "ScaleKitExamples",
    platforms: [.macOS(.v15)],
    products: [
        .executable(name: "celery-interop", targets: ["celery-interop"]),
        .executable(name: "edge-proxy", targets: ["edge-proxy"]),
        .executable(name: "profile-service", targets: ["profile-service"]),
        .executable(name: "tours", targets: ["tours"]),
    ],
    dependencies: [
        .package(name: "ScaleKit", path: ".."),
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
        // Without traits, as Hummingbird takes it: with others it, and all that is built on it, would be built a second time.
        .package(url: "https://github.com/apple/swift-configuration", from: "1.4.0", traits: []),
        .package(url: "https://github.com/apple/swift-crypto", from: "4.5.2"),
        .package(url: "https://github.com/apple/swift-http-types", from: "1.8.0"),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
        .package(url: "https://github.com/apple/swift-metrics", from: "2.13.0"),
        .package(url: "https://github.com/apple/swift-nio", from: "2.101.2"),
        .package(url: "https://github.com/apple/swift-nio-extras", from: "1.35.2"),
        .package(url: "https://github.com/groue/GRDB.swift", from: "7.10.0"),
        .package(url: "https://github.com/hummingbird-project/hummingbird", from: "2.28.1"),
        .package(url: "https://github.com/swift-server/async-http-client", from: "1.37.0"),
        .package(url: "https://github.com/swift-server/swift-service-lifecycle", from: "2.13.0"),
    ],
    targets: [
        .target(
            name: "ProfileService",
            dependencies: [
                scaleKit("BalancerKit"),
                scaleKit("BalancerKitNginx"),
                scaleKit("BalancerKitProxy"),
                scaleKit("CacheKit"),
                scaleKit("CacheKitMemcached"),
                scaleKit("CacheKitRedis"),
                scaleKit("QueueKit"),
                scaleKit("QueueKitRabbitMQ"),
                scaleKit("QueueKitRedis"),
                scaleKit("QueueKitSQLite"),
                scaleKit("ScaleCore"),
                scaleKit("ScaleRedis"),
                scaleKit("SessionStore"),
                scaleKit("SessionStoreHummingbird"),
                scaleKit("SessionStoreRedis"),
                .product(name: "AsyncHTTPClient", package: "async-http-client"),
                .product(name: "Crypto", package: "swift-crypto"),
                .product(name: "CryptoExtras", package: "swift-crypto"),
                .product(name: "GRDB", package: "GRDB.swift"),
                .product(name: "HTTPTypes", package: "swift-http-types"),
                .product(name: "Hummingbird", package: "hummingbird"),
                .product(name: "HummingbirdCore", package: "hummingbird"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "Metrics", package: "swift-metrics"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOHTTP1", package: "swift-nio"),
                .product(name: "NIOHTTPTypes", package: "swift-nio-extras"),
                .product(name: "NIOHTTPTypesHTTP1", package: "swift-nio-extras"),
                .product(name: "NIOPosix", package: "swift-nio"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
                .product(name: "UnixSignals", package: "swift-service-lifecycle"),
            ],
            path: "ProfileService/Service",
            swiftSettings: swiftSettings),
        .executableTarget(
            name: "profile-service",
            dependencies: [
                "ProfileService",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
                .product(name: "Configuration", package: "swift-configuration"),
                .product(name: "Logging", package: "swift-log"),
            ],
            path: "ProfileService/Command",
            swiftSettings: swiftSettings),
        // The root's own files by links, since servers and processes for tests are nobody's product.
        .target(name: "PrivateServers", path: "ProfileService/PrivateServers", swiftSettings: swiftSettings),
        // The examples' own programs as processes, for their tests.
        .target(
            name: "Programs", dependencies: ["PrivateServers", scaleKit("ScaleTesting")], path: "Programs", swiftSettings: swiftSettings),
        .testTarget(
            name: "ProfileServiceTests",
            dependencies: [
                "PrivateServers",
                "ProfileService",
                "Programs",
                "profile-service",
                scaleKit("BalancerKitProxy"),
                scaleKit("CacheKit"),
                scaleKit("CacheKitTesting"),
                scaleKit("QueueKit"),
                scaleKit("QueueKitRabbitMQ"),
                scaleKit("ScaleCore"),
                scaleKit("ScaleRedis"),
                scaleKit("ScaleTesting"),
                scaleKit("SessionStore"),
                scaleKit("SessionStoreTesting"),
                .product(name: "GRDB", package: "GRDB.swift"),
                .product(name: "InMemoryLogging", package: "swift-log"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "Metrics", package: "swift-metrics"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
            ],
            path: "ProfileService/Tests",
            swiftSettings: swiftSettings),

        // A Swift worker and a Swift client in a Celery application.
        .executableTarget(
            name: "celery-interop",
            dependencies: [
                scaleKit("QueueKit"),
                scaleKit("QueueKitRabbitMQ"),
                scaleKit("QueueKitRedis"),
                scaleKit("ScaleRedis"),
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
                .product(name: "UnixSignals", package: "swift-service-lifecycle"),
            ],
            path: "CeleryInterop/Command",
            swiftSettings: swiftSettings),

        // Files of nginx, checked, run and rendered.
        .executableTarget(
            name: "edge-proxy",
            dependencies: [
                scaleKit("BalancerKit"),
                scaleKit("BalancerKitNginx"),
                scaleKit("BalancerKitProxy"),
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
                .product(name: "UnixSignals", package: "swift-service-lifecycle"),
            ],
            path: "EdgeProxy/Command",
            swiftSettings: swiftSettings),
        .testTarget(
            name: "EdgeProxyTests",
            dependencies: [
                "Programs",
                "edge-proxy",
                scaleKit("ScaleTesting"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"),
            ],
            path: "EdgeProxy/Tests",
            swiftSettings: swiftSettings),

        // A little application as an outside user would write it, tested with both frameworks through public API only.
        .target(
            name: "Bookshop",
            dependencies: [
                scaleKit("BalancerKit"), scaleKit("CacheKit"), scaleKit("QueueKit"), scaleKit("ScaleCore"), scaleKit("SessionStore"),
            ],
            path: "ConsumerTests/Bookshop",
            swiftSettings: swiftSettings),
        .target(
            name: "BookshopFakes", dependencies: ["Bookshop"] + consumerTesting, path: "ConsumerTests/Fakes", swiftSettings: swiftSettings),
        .testTarget(
            name: "BookshopXCTests", dependencies: ["Bookshop", "BookshopFakes"] + consumerTesting, path: "ConsumerTests/XCTests",
            swiftSettings: swiftSettings),
        .testTarget(
            name: "BookshopSwiftTests", dependencies: ["Bookshop", "BookshopFakes", "Programs"] + consumerTesting,
            path: "ConsumerTests/SwiftTests",
            swiftSettings: swiftSettings),

        // Each kit in a dozen lines; the README shows parts of them.
        .target(
            name: "Tours",
            dependencies: [
                scaleKit("BalancerKit"), scaleKit("CacheKit"), scaleKit("QueueKit"), scaleKit("ScaleCore"), scaleKit("SessionStore"),
            ],
            path: "Tours/Library",
            swiftSettings: swiftSettings),
        .executableTarget(name: "tours", dependencies: ["Tours"], path: "Tours/Command", swiftSettings: swiftSettings),
        .testTarget(
            name: "TourTests",
            dependencies: ["Tours", scaleKit("ScaleTesting")],
            path: "Tours/Tests",
            swiftSettings: swiftSettings),
    ],
    swiftLanguageModes: [.v6]
)
