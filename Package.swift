// swift-tools-version: 6.2
import PackageDescription

// The module map, bottom to top. A target may import what stands above it in this file, never what
// stands below; `Tests/PackageTests` checks that the runtime products reach neither HDF5 nor the calibrator.

let strict: [SwiftSetting] = [
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .treatAllWarnings(as: .error),
]

#if os(Linux)
let hdf5PackageName = "hdf5-serial"  // the exact flavour: Debian's plain "hdf5" is an alternatives link
#else
let hdf5PackageName = "hdf5"
#endif

let applePlatforms: [Platform] = [.macOS, .iOS]

let package = Package(
    name: "vernier",
    platforms: [.macOS(.v15), .iOS(.v18)],
    products: [
        // What users ship: load a profile, check that it fits, generate. No HDF5, no calibrator.
        .library(name: "VernierRuntime", targets: ["KVCacheRuntime", "ModelFamilies", "Generation"]),
        // What users calibrate and compile with.
        .library(
            name: "VernierCalibration", targets: ["Calibration", "StatisticsFile", "ProfileCompiler", "Refinement"]),
        .executable(name: "vernier", targets: ["vernier"]),
    ],
    dependencies: [.package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.0")],
    targets: [
        // System libraries and the C faces over them.
        .systemLibrary(name: "COpenBLAS", pkgConfig: "openblas", providers: [.apt(["libopenblas-dev"])]),
        .systemLibrary(
            name: "CHDF5", pkgConfig: hdf5PackageName, providers: [.apt(["libhdf5-dev"]), .brew(["hdf5"])]),
        .systemLibrary(name: "COpenSSL", pkgConfig: "libcrypto", providers: [.apt(["libssl-dev"])]),
        .systemLibrary(name: "CPNG", pkgConfig: "libpng", providers: [.apt(["libpng-dev"]), .brew(["libpng"])]),
        .systemLibrary(
            name: "CSentencePieceLibrary", pkgConfig: "sentencepiece",
            providers: [.apt(["libsentencepiece-dev"]), .brew(["sentencepiece"])]),
        .target(
            name: "CKernels",
            dependencies: [.target(name: "COpenBLAS", condition: .when(platforms: [.linux]))],
            cSettings: [.define("ACCELERATE_NEW_LAPACK", .when(platforms: applePlatforms))],
            linkerSettings: [.linkedFramework("Accelerate", .when(platforms: applePlatforms))]),
        .target(name: "CHDF5Shim", dependencies: ["CHDF5"]),
        .target(name: "CPNGShim", dependencies: ["CPNG"]),
        .target(name: "CSentencePiece", dependencies: ["CSentencePieceLibrary"]),

        // Errors, strict JSON, digests, files. Everything may import it.
        .target(
            name: "VernierCore", dependencies: [.target(name: "COpenSSL", condition: .when(platforms: [.linux]))],
            swiftSettings: strict),

        // The runtime: what users ship.
        .target(name: "TensorKernels", dependencies: ["VernierCore", "CKernels"], swiftSettings: strict),
        .target(name: "ProfileFormat", dependencies: ["VernierCore"], swiftSettings: strict),
        .target(name: "Checkpoints", dependencies: ["VernierCore", "ProfileFormat"], swiftSettings: strict),
        .target(
            name: "KVCacheRuntime", dependencies: ["VernierCore", "TensorKernels", "ProfileFormat"],
            swiftSettings: strict),
        .target(
            name: "ModelFamilies",
            dependencies: ["VernierCore", "TensorKernels", "ProfileFormat", "Checkpoints", "KVCacheRuntime"],
            swiftSettings: strict),
        .target(
            name: "TextEncoding",
            dependencies: ["VernierCore", "TensorKernels", "Checkpoints", "CSentencePiece"],
            swiftSettings: strict),
        .target(
            name: "Generation",
            dependencies: [
                "VernierCore", "TensorKernels", "ProfileFormat", "Checkpoints", "KVCacheRuntime", "ModelFamilies",
                "TextEncoding",
            ], swiftSettings: strict),

        // Calibration and compilation.
        .target(name: "CalibrationStatistics", dependencies: ["VernierCore", "ProfileFormat"], swiftSettings: strict),
        .target(
            name: "StatisticsFile",
            dependencies: ["VernierCore", "ProfileFormat", "CalibrationStatistics", "CHDF5Shim"],
            swiftSettings: strict),
        .target(
            name: "ProfileCompiler",
            dependencies: ["VernierCore", "TensorKernels", "ProfileFormat", "CalibrationStatistics"],
            swiftSettings: strict),
        .target(
            name: "Calibration",
            dependencies: [
                "VernierCore", "TensorKernels", "ProfileFormat", "KVCacheRuntime", "ModelFamilies", "Generation",
                "CalibrationStatistics",
                "StatisticsFile",
            ], swiftSettings: strict),
        .target(
            name: "Refinement",
            dependencies: [
                "VernierCore", "TensorKernels", "ProfileFormat", "KVCacheRuntime", "ModelFamilies", "Generation",
            ], swiftSettings: strict),

        // Checkpoints as they are released: what they hold, model directories of them, synthetic ones for tests of scale.
        .target(
            name: "Conversion",
            dependencies: [
                "VernierCore", "TensorKernels", "ProfileFormat", "Checkpoints", "TextEncoding", "Generation",
            ], swiftSettings: strict),

        // Proof and command line.
        .target(
            name: "Presentation",
            dependencies: [
                "VernierCore", "ProfileFormat", "Checkpoints", "ModelFamilies", "Generation", "CalibrationStatistics",
                "ProfileCompiler",
            ], swiftSettings: strict),
        .target(
            name: "Evaluation",
            dependencies: [
                "VernierCore", "TensorKernels", "ProfileFormat", "KVCacheRuntime", "ModelFamilies", "Generation",
                "CPNGShim",
            ], swiftSettings: strict),
        .target(
            name: "Frontier",
            dependencies: [
                "VernierCore", "TensorKernels", "ProfileFormat", "KVCacheRuntime", "ModelFamilies", "Generation",
                "CalibrationStatistics", "ProfileCompiler", "Refinement", "Evaluation",
            ], swiftSettings: strict),
        .executableTarget(
            name: "vernier",
            dependencies: [
                "VernierCore", "ProfileFormat", "Checkpoints", "KVCacheRuntime", "ModelFamilies", "Generation",
                "CalibrationStatistics",
                "StatisticsFile", "ProfileCompiler", "Calibration", "Refinement", "Evaluation",
                "Frontier", "Conversion", "Presentation", "TensorKernels",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ], swiftSettings: strict),

        .executableTarget(
            name: "VernierBench",
            dependencies: [
                "VernierCore", "TensorKernels", "ProfileFormat", "KVCacheRuntime", "Generation",
                "CalibrationStatistics", "StatisticsFile", "ProfileCompiler", "Calibration",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ], swiftSettings: strict),

        // Tests: one target a module, and what they share. They too declare all that they import: SwiftPM does not build
        // a test anew for a change in a module that it reaches only through others, and old code on new layouts crashes.
        .target(
            name: "TestSupport", dependencies: ["VernierCore", "Checkpoints"], path: "Tests/TestSupport",
            swiftSettings: strict),
        .target(name: "CAllocationCounter", path: "Tests/CAllocationCounter"),
        .testTarget(name: "PackageTests"),
        .testTarget(name: "VernierCoreTests", dependencies: ["VernierCore", "TestSupport"]),
        .testTarget(
            name: "TensorKernelsTests",
            dependencies: ["CKernels", "VernierCore", "TensorKernels", "Checkpoints", "TestSupport"]),
        .testTarget(name: "ProfileFormatTests", dependencies: ["VernierCore", "ProfileFormat", "TestSupport"]),
        .testTarget(
            name: "CheckpointsTests", dependencies: ["VernierCore", "ProfileFormat", "Checkpoints", "TestSupport"],
            exclude: ["Fixtures"]),
        .testTarget(
            name: "KVCacheRuntimeTests",
            dependencies: [
                "VernierCore", "TensorKernels", "ProfileFormat", "Checkpoints", "KVCacheRuntime", "TestSupport",
            ]),
        .testTarget(
            name: "ModelFamiliesTests",
            dependencies: [
                "CAllocationCounter", "VernierCore", "TensorKernels", "ProfileFormat", "Checkpoints", "KVCacheRuntime",
                "ModelFamilies",
                "TextEncoding", "Generation", "TestSupport",
            ],
            exclude: ["Fixtures"]),
        .testTarget(
            name: "TextEncodingTests",
            dependencies: ["VernierCore", "TensorKernels", "Checkpoints", "TextEncoding", "TestSupport"]),
        .testTarget(
            name: "StatisticsFileTests",
            dependencies: [
                "CHDF5Shim", "VernierCore", "ProfileFormat", "CalibrationStatistics", "StatisticsFile", "TestSupport",
            ]),
        .testTarget(
            name: "RefinementTests",
            dependencies: [
                "VernierCore", "ProfileFormat", "Generation", "StatisticsFile", "ProfileCompiler", "Calibration",
                "Refinement", "TestSupport",
            ]),
        .testTarget(
            name: "ProfileCompilerTests",
            dependencies: [
                "VernierCore", "ProfileFormat", "Checkpoints", "CalibrationStatistics", "ProfileCompiler",
                "TestSupport",
            ]),
        .testTarget(
            name: "CalibrationTests",
            dependencies: [
                "VernierCore", "TensorKernels", "ProfileFormat", "Checkpoints", "KVCacheRuntime", "ModelFamilies",
                "Generation", "CalibrationStatistics", "StatisticsFile", "ProfileCompiler", "Calibration",
                "TestSupport",
            ]),
        .testTarget(
            name: "ConversionTests",
            dependencies: [
                "VernierCore", "ProfileFormat", "Checkpoints", "KVCacheRuntime", "ModelFamilies", "TextEncoding",
                "Generation", "Conversion", "TestSupport",
            ]),
        .testTarget(
            name: "EvaluationTests",
            dependencies: [
                "VernierCore", "ProfileFormat", "Checkpoints", "ModelFamilies", "Generation", "Evaluation",
                "TestSupport",
            ], exclude: ["Fixtures"]),
        .testTarget(
            name: "FrontierTests",
            dependencies: [
                "VernierCore", "ProfileFormat", "ModelFamilies", "Generation", "CalibrationStatistics",
                "StatisticsFile", "ProfileCompiler", "Calibration", "Refinement", "Evaluation", "Frontier",
                "TestSupport",
            ]),
        .testTarget(
            name: "CommandLineTests",
            dependencies: [
                "CKernels", "vernier", "VernierCore", "TensorKernels", "ProfileFormat", "CalibrationStatistics",
                "StatisticsFile", "Evaluation", "TestSupport",
            ]),
    ],
    swiftLanguageModes: [.v6],
    cxxLanguageStandard: .cxx17
)
