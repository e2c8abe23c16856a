import Foundation
import Testing

/// The module map of `Package.swift` and the imports of every source file.
@Suite struct ModuleMapTests {
    /// What the runtime must do without.
    static let forbidden: Set<String> = [
        "CHDF5", "CHDF5Shim", "StatisticsFile", "Calibration", "CalibrationStatistics", "ProfileCompiler", "Evaluation",
        "Conversion", "Frontier", "Presentation", "CPNG", "CPNGShim", "vernier", "TestSupport",
    ]
    /// Modules of the toolchain and the platform.
    static let systemModules: Set<String> = [
        "CryptoKit", "Darwin", "Dispatch", "Foundation", "Glibc", "Synchronization", "Testing",
    ]
    /// Modules that must build where there is no Foundation.
    static let withoutFoundation = [
        "VernierCore", "TensorKernels", "ProfileFormat", "Checkpoints", "KVCacheRuntime", "ModelFamilies",
        "TextEncoding", "Generation", "CalibrationStatistics", "ProfileCompiler",
    ]

    private let root: URL
    private let manifest: Manifest

    init() throws {
        root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent()
        manifest = try Manifest(String(contentsOf: root.appendingPathComponent("Package.swift"), encoding: .utf8))
    }

    @Test func theManifestIsReadWhole() throws {
        let text = try String(contentsOf: root.appendingPathComponent("Package.swift"), encoding: .utf8)
        // Counted another way: every target of the map begins a line of its own.
        let lines = text.split(separator: "\n").map { $0.drop { $0 == " " } }
        let starts = [".target(", ".systemLibrary(", ".executableTarget(", ".testTarget("]
        #expect(manifest.targets.count == lines.count { line in starts.contains { line.hasPrefix($0) } })
        #expect(manifest.products.map(\.name).sorted() == ["VernierCalibration", "VernierRuntime", "vernier"])
        // Every folder of sources is a target's, and every target's folder is there.
        let folders = try ["Sources", "Tests"].flatMap { parent in
            try FileManager.default.contentsOfDirectory(atPath: root.appendingPathComponent(parent).path)
                .filter { !["Golden", "Fuzzing"].contains($0) && !$0.hasPrefix(".") }.map { "\(parent)/\($0)" }
        }
        #expect(Set(folders) == Set(manifest.targets.map(\.folder)))
    }

    @Test func theRuntimeReachesNeitherHDF5NorTheCalibrator() throws {
        let runtime = try #require(manifest.products.first { $0.name == "VernierRuntime" })
        #expect(runtime.targets.sorted() == ["Generation", "KVCacheRuntime", "ModelFamilies"])
        let reached = try manifest.closure(of: runtime.targets)
        #expect(reached.isSuperset(of: ["VernierCore", "TensorKernels", "CKernels"]), "the walk goes to the bottom")
        #expect(reached.intersection(Self.forbidden).isEmpty)
        // The walk does find HDF5 where it is.
        #expect(try manifest.closure(of: ["Calibration"]).contains("CHDF5"))
    }

    @Test func targetsDependOnTargetsAboveThemOnly() {
        for (place, target) in manifest.targets.enumerated() {
            let above = Set(manifest.targets[..<place].map(\.name))
            let below = Set(target.dependencies).subtracting(above)
            #expect(below.isEmpty, "\(target.name) depends on what stands below it: \(below.sorted())")
        }
    }

    /// Code imports what its target declares. Tests too: SwiftPM does not build them anew for a change in a module that
    /// they reach through others only.
    @Test func filesImportDeclaredModulesOnly() throws {
        let productModules = ["ArgumentParser": "ArgumentParser"]
        var importCount = 0
        for target in manifest.targets {
            let own = try Set(target.products.map { try #require(productModules[$0], "module of product \($0)") })
            let allowed = own.union(target.dependencies).union(Self.systemModules)
            for (file, modules) in try imports(in: target.folder) {
                importCount += modules.count
                let strays = modules.subtracting(allowed)
                #expect(strays.isEmpty, "\(file) imports \(strays.sorted()), which \(target.name) does not declare")
            }
        }
        #expect(importCount > 300, "imports were found at all: \(importCount)")
    }

    @Test(arguments: withoutFoundation) func theRuntimeDoesWithoutFoundation(module: String) throws {
        let files = try imports(in: manifest.target(module).folder)
        #expect(!files.isEmpty)
        for (file, modules) in files { #expect(!modules.contains("Foundation"), "\(file)") }
    }

    @Test func declaredDependenciesAreUsed() throws {
        for target in manifest.targets where target.kind == "target" || target.kind == "executableTarget" {
            let files = try imports(in: target.folder)
            guard !files.isEmpty else { continue }  // C
            let imported = files.reduce(into: Set<String>()) { $0.formUnion($1.modules) }
            let unused = Set(target.dependencies).subtracting(imported)
            #expect(unused.isEmpty, "\(target.name) declares \(unused.sorted()) and imports none of it")
        }
    }

    @Test func hdf5IsIncludedBehindItsShimOnly() throws {
        let headers = try files(in: "Sources", extensions: ["c", "h", "cpp", "modulemap"])
        let including = try headers.filter { try text($0).contains("hdf5.h") }
        #expect(!including.isEmpty)
        #expect(including.allSatisfy { $0.hasPrefix("Sources/CHDF5") }, "\(including)")
    }

    // MARK: - The reader itself

    @Test(arguments: [
        "", "let package = Package(name: \"x\")", "let package = Package(targets: [], products: [])",
        "let package = Package(products: [.library(name: \"A\", targets: [\"A\"])], targets: runtime + tools)",
        "let package = Package(products: [.library(name: \"A\", targets: [\"A\"])], targets: [.target(name: name)])",
        "let package = Package(products: [.library(name: \"A\", targets: [\"B\"])], targets: [.target(name: \"A\")])",
        "let package = Package(products: [.library(name: \"A\", targets: [\"A\"])], targets: [.target(name: \"A\"",
        "let package = Package(products: [.library(name: \"A\", targets: [\"A\"])], targets: [.target(name: \"A\", "
            + "dependencies: shared)])",
        "let package = Package(products: [.library(name: \"A\", targets: [\"A\"])], targets: [.macro(name: \"A\")])",
    ])
    func manifestsThatItCannotReadAreRefused(text: String) {
        #expect(throws: Manifest.Unreadable.self) { try Manifest(text) }
    }

    @Test func readsConditionsCommentsAndPaths() throws {
        let manifest = try Manifest(
            """
            let package = Package(  // a comment, with (brackets
                products: [.library(name: "P", targets: ["B"])],
                targets: [
                    .systemLibrary(name: "A", providers: [.apt(["a"])]),
                    // .target(name: "Commented"),
                    .target(name: "B", dependencies: [.target(name: "A", condition: .when(platforms: [.linux])),
                        .product(name: "Q", package: "q")], path: "Elsewhere/B", swiftSettings: strict),
                    .testTarget(name: "C", dependencies: ["B"],),
                ])
            """)
        #expect(manifest.targets.map(\.name) == ["A", "B", "C"])
        #expect(manifest.targets[1].dependencies == ["A"] && manifest.targets[1].products == ["Q"])
        #expect(manifest.targets.map(\.folder) == ["Sources/A", "Elsewhere/B", "Tests/C"])
        #expect(try manifest.closure(of: ["C"]) == ["A", "B", "C"])
    }

    // MARK: - Files

    private func imports(in folder: String) throws -> [(file: String, modules: Set<String>)] {
        try files(in: folder, extensions: ["swift"]).map { file in
            // Lines as bytes: most of them are not looked at any further.
            let lines = Array(try text(file).utf8).split(separator: UInt8(ascii: "\n"))
            return (file, Set(lines.compactMap { Self.importedModule($0) }))
        }
    }

    /// The module that a line imports, whatever attributes and modifiers stand before; nil if it is no import.
    private static func importedModule(_ line: ArraySlice<UInt8>) -> String? {
        let starts = Set("@ipf".utf8)
        guard let first = line.first(where: { $0 != UInt8(ascii: " ") }), starts.contains(first) else { return nil }
        var words = String(decoding: line, as: UTF8.self).split(separator: " ")[...]
        while let word = words.first,
            word.hasPrefix("@") || ["public", "package", "internal", "private", "fileprivate"].contains(word)
        {
            words = words.dropFirst()
        }
        guard words.popFirst() == "import" else { return nil }
        if let word = words.first, ["struct", "class", "enum", "func", "let", "var", "typealias"].contains(word) {
            words = words.dropFirst()
        }
        return words.first.map { String($0.prefix { $0 != "." && $0 != ";" }) }
    }

    /// Paths below the package, sorted.
    private func files(in folder: String, extensions: Set<String>) throws -> [String] {
        let base = root.appendingPathComponent(folder).path
        let found = try #require(FileManager.default.enumerator(atPath: base), "\(folder) cannot be listed")
        return found.compactMap { $0 as? String }.filter { extensions.contains(($0 as NSString).pathExtension) }
            .map { "\(folder)/\($0)" }.sorted()
    }

    private func text(_ file: String) throws -> String {
        try String(contentsOf: root.appendingPathComponent(file), encoding: .utf8)
    }
}
