import Foundation
import Testing

/// The built `vernier`, run as a process of its own.
enum Tool {
    struct Outcome {
        let exitCode: Int32
        /// Whether a signal ended it.
        let wasKilled: Bool
        let output: String
        let errors: String
    }

    struct Missing: Error, CustomStringConvertible {
        let description: String
    }

    /// The executable beside the test bundle.
    static func executable() throws -> URL {
        #if os(macOS)
        let bundle = Bundle.allBundles.first { $0.bundlePath.hasSuffix(".xctest") }
        let products = bundle?.bundleURL.deletingLastPathComponent()
        #else
        let products = Bundle.main.executableURL?.deletingLastPathComponent()
        #endif
        guard let products else { throw Missing(description: "no test bundle to find 'vernier' beside") }
        let tool = products.appendingPathComponent("vernier")
        guard FileManager.default.isExecutableFile(atPath: tool.path) else {
            throw Missing(description: "no 'vernier' at \(tool.path); build with 'swift build --build-tests' first")
        }
        return tool
    }

    /// Starts the tool; output goes to files in a folder that the caller reads after it has ended.
    static func start(
        _ arguments: [String], output: URL, errors: URL, environment more: [String: String] = [:]
    ) throws -> Process {
        let process = Process()
        process.executableURL = try executable()
        process.arguments = arguments
        var environment = ProcessInfo.processInfo.environment
        environment["VERNIER_THREADS"] = "1"  // tiny work, many processes
        environment["COLUMNS"] = "120"
        process.environment = environment.merging(more) { $1 }
        process.standardInput = FileHandle.nullDevice
        for url in [output, errors] {
            guard FileManager.default.createFile(atPath: url.path, contents: nil) else {
                throw Missing(description: "cannot make \(url.path)")
            }
        }
        process.standardOutput = try FileHandle(forWritingTo: output)
        process.standardError = try FileHandle(forWritingTo: errors)
        try process.run()
        return process
    }

    /// Runs the tool to its end.
    static func run(_ arguments: [String], environment: [String: String] = [:]) throws -> Outcome {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("vernier-test-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let (output, errors) = (folder.appendingPathComponent("out"), folder.appendingPathComponent("err"))
        let process = try start(arguments, output: output, errors: errors, environment: environment)
        process.waitUntilExit()
        return Outcome(
            exitCode: process.terminationStatus, wasKilled: process.terminationReason == .uncaughtSignal,
            output: try String(contentsOf: output, encoding: .utf8),
            errors: try String(contentsOf: errors, encoding: .utf8))
    }

    /// Runs the tool, which must succeed and say nothing on standard error; returns what it printed.
    @discardableResult
    static func succeed(
        _ arguments: [String], environment: [String: String] = [:], sourceLocation: SourceLocation = #_sourceLocation
    ) throws -> String {
        // On a pipe, progress would be lines on standard error.
        let works =
            ["generate", "calibrate", "eval", "frontier", "convert", "synth"].contains(arguments.first)
            && !arguments.contains("--help")
        let outcome = try run(arguments + (works ? ["--progress", "none"] : []), environment: environment)
        try #require(
            outcome.exitCode == 0 && !outcome.wasKilled, "\(arguments): \(outcome.errors)",
            sourceLocation: sourceLocation)
        #expect(outcome.errors == "", "\(arguments)", sourceLocation: sourceLocation)
        return outcome.output
    }
}
