// swift-tools-version: 6.2
import PackageDescription

// A stranger's package that uses one kit. Scripts/linkage builds it and looks at what it drags in.
let scaleKit: Package.Dependency =
    Context.environment["LINKAGE_TRAITS"] == "none"
    ? .package(name: "ScaleKit", path: "../..", traits: [])
    : .package(name: "ScaleKit", path: "../..")

let package = Package(
    name: "Linkage",
    platforms: [.macOS(.v15)],
    dependencies: [scaleKit],
    targets: [.executableTarget(name: "Linkage", dependencies: [.product(name: "CacheKit", package: "ScaleKit")])]
)
