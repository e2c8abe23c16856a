// swift-tools-version: 6.2
import PackageDescription

// The fuzzer of the checkpoint readers: a package of its own, so that no build of Vernier knows of it. The folders of
// Sources are links to the package above. See run.sh.

let package = Package(
    name: "fuzzing",
    platforms: [.macOS(.v15)],
    dependencies: [.package(url: "https://github.com/apple/swift-crypto", from: "4.0.0")],
    targets: [
        .target(name: "VernierCore", dependencies: [.product(name: "Crypto", package: "swift-crypto")]),
        .target(name: "ProfileFormat", dependencies: ["VernierCore"]),
        .target(name: "Checkpoints", dependencies: ["VernierCore", "ProfileFormat"]),
        .executableTarget(name: "Fuzz", dependencies: ["Checkpoints", "VernierCore"]),
    ],
    swiftLanguageModes: [.v6]
)
