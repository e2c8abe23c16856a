import Checkpoints
import Foundation
import Generation
import ProfileFormat
import TestSupport
import Testing
import VernierCore

@testable import Conversion

/// Conversion against directories that were built directly.
@Suite struct CheckpointConversionTests {
    private let folder = TemporaryDirectory()

    private func bytes(_ path: String) throws -> Data { try Data(contentsOf: URL(fileURLWithPath: path)) }

    private func draw(_ path: String) throws -> [UInt8] {
        let model = try ImageModel(path: path)
        let subject: CorpusPrompt.Subject =
            model.directory.configuration.classes == nil ? .text("a red circle") : .imageClass(3)
        let request = try model.request(for: CorpusPrompt(index: 0, subject: subject), seed: 1)
        return try ImageGenerator(model: model).generate(
            [request], settings: model.defaultSettings)[0].picture.pixels
    }

    /// The golden cases as torch files, shards and single files: numbers, digest, files and picture are those of the
    /// directory that was built from the case's own statement.
    @Test(arguments: ["inf-a", "inf-b", "var-a", "var-b"])
    func everyFormGivesTheDirectoryBuiltDirectly(_ name: String) throws {
        let golden = try GoldenCheckpoint(name), direct = folder.file("direct")
        try golden.writeDirectory(to: direct)
        let picture = try draw(direct), digest = try ModelDirectory(path: direct).identity().weightsDigest
        for form in GoldenCheckpoint.Form.allCases {
            let source = try golden.write(form, to: folder.file("source-\(form)")), out = folder.file("\(form)")
            let conversion = try CheckpointConversion(of: source, options: golden.options)
            #expect(conversion.configuration == golden.configuration && conversion.release == nil)
            #expect(conversion.findings[1].contains("2 that drawing does not need are left out"))
            #expect(
                conversion.findings.filter { $0.hasPrefix("not used: ") }
                    == (form == .nestedTorch ? ["not used: model.pth, under 'trainer.gpt_ema_fsdp'"] : []))
            try conversion.write(to: out)
            for file in try FolderListing.names(in: direct) where file.contains(".") {
                #expect(try bytes("\(out)/\(file)") == bytes("\(direct)/\(file)"), "\(form): \(file)")
            }
            #expect(try FolderListing.names(in: out) == FolderListing.names(in: direct))
            #expect(try ModelDirectory(path: out).identity().weightsDigest == digest, "\(form)")
            #expect(try draw(out) == picture, "\(form)")
            if golden.isInfinity {
                let encoder = "text_encoder/model.safetensors"
                #expect(try bytes("\(out)/\(encoder)") == bytes("\(direct)/\(encoder)"), "\(form)")
            }
        }
    }

    /// A synthetic release, converted, is the synthetic directory, byte for byte.
    @Test(arguments: SmallRelease.all.map(\.name)) func aSyntheticReleaseBecomesItsDirectory(_ name: String) throws {
        let release = try #require(SmallRelease.all.first { $0.name == name })
        let checkpoint = try SmallRelease.checkpoint(release)
        try checkpoint.writeDirectory(to: folder.file("direct"))
        try checkpoint.writeReleasedFiles(to: folder.file("released"))
        let choice = name == "small-var" ? ScheduleChoice.standard : ScheduleChoice(resolution: .smallest)
        try CheckpointConversion(
            of: [folder.file("released")], options: ConversionOptions(name: name, schedule: choice)
        ).write(to: folder.file("converted"))
        let found = try #require(FileManager.default.enumerator(atPath: folder.file("direct")))
        let files = found.compactMap { $0 as? String }.filter { $0.contains(".") }
        #expect(files.count == (name == "small-var" ? 3 : 6))
        for file in files {
            #expect(
                try bytes(folder.file("converted/\(file)")) == bytes(folder.file("direct/\(file)")), "\(name): \(file)")
        }
    }

    /// Released sizes are recognised, without their weights: shapes alone, in files full of holes.
    @Test(arguments: ["infinity-125m", "var-d16"]) func releasesAreRecognised(_ name: String) throws {
        let release = try ModelRelease(named: name)
        let pieces = name.hasPrefix("var") ? nil : Golden.path("tok-a.spiece.model")
        let checkpoint = try SyntheticCheckpoint(of: release, textLayers: pieces == nil ? nil : 1, pieces: pieces)
        let path = folder.file("sparse")
        try AtomicFolder.make(path) { folder in
            try SparseSafetensors.write(
                checkpoint.transformerLayout.filtered { $0 != "lvl_1L" }, to: "\(folder)/a.safetensors")
            try SparseSafetensors.write(checkpoint.tokenizerLayout, to: "\(folder)/b.safetensors")
            guard let pieces, let sizes = checkpoint.textSizes else { return }
            try ModelPart.makeFolder("\(folder)/t5")
            try SparseSafetensors.write(.t5Encoder(sizes), to: "\(folder)/t5/c.safetensors")
            try AtomicFile.write(sizes.json().canonicalText(), to: "\(folder)/t5/config.json")
            try ModelPart.copy(pieces, to: "\(folder)/t5/spiece.model")
        }
        let conversion = try CheckpointConversion(of: [path])
        #expect(conversion.release == release && conversion.configuration == release.configuration)
        guard pieces != nil else { return }
        let other = try CheckpointConversion(
            of: [path],
            options: ConversionOptions(
                name: "mine", schedule: ScheduleChoice(resolution: .quarter, aspect: InfinityAspect(named: "4:3"))))
        #expect(other.release == release && other.configuration.name == "mine")
        #expect(
            try other.configuration.schedule
                == InfinitySchedule(aspect: .init(named: "4:3"), resolution: .quarter).schedule)
        #expect(other.configuration.shapeDigest == release.configuration.shapeDigest)
    }

    @Test func averagesAloneAreTaken() throws {
        let golden = try GoldenCheckpoint("var-b")
        let weights = try GoldenCheckpoint.pending(golden.transformer).map {
            GoldenCheckpoint.renamed($0, "model_ema.module.\($0.name)")
        }
        try GoldenCheckpoint.writer.writeTorch(weights, to: folder.file("a.pth"))
        try GoldenCheckpoint.writer.writeSafetensors(
            GoldenCheckpoint.pending(golden.tokenizer), to: folder.file("b.safetensors"))
        let conversion = try CheckpointConversion(of: [folder.path], options: golden.options)
        #expect(conversion.configuration == golden.configuration)
        #expect(
            conversion.findings.contains(
                "moving averages, as there are no other weights: a.pth, under 'model_ema.module'"))
    }

    @Test func headsThatNoShapeTellsAreAskedFor() throws {
        let golden = try GoldenCheckpoint("var-b")
        let weights = try GoldenCheckpoint.pending(golden.transformer).filter { !$0.name.hasSuffix("scale_mul_1H11") }
        try GoldenCheckpoint.writer.writeSafetensors(weights, to: folder.file("a.safetensors"))
        try GoldenCheckpoint.writer.writeSafetensors(
            GoldenCheckpoint.pending(golden.tokenizer), to: folder.file("b.safetensors"))
        #expect {
            try CheckpointConversion(of: [folder.path])
        } throws: { "\($0)".contains("expected the number of heads (--heads)") }
        let conversion = try CheckpointConversion(of: [folder.path], options: ConversionOptions(heads: 2))
        #expect(conversion.configuration.architecture == golden.configuration.architecture)
        #expect(conversion.configuration.name == "a", "the transformer's file's")
        #expect {
            try CheckpointConversion(of: [folder.path], options: ConversionOptions(heads: 3))
        } throws: { "\($0)".contains("expected a divisor of width 64") }
    }
}
