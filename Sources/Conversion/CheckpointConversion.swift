import Checkpoints
import Generation
import ProfileFormat
import TextEncoding
import VernierCore

/// A checkpoint as it is downloaded, understood and ready to be written as a model directory.
///
/// Parts are found by tensors that only they have, under whatever dictionaries a file wraps them in; sizes are read off
/// the shapes. Tensors are copied as they are, the transformer's all of them, so that its weights digest is the same
/// whatever file they came from. The image tokeniser's encoder and the text encoder's decoder are left out.
public struct CheckpointConversion {
    /// What `config.json` will say.
    public let configuration: ModelConfiguration
    /// The released model that has exactly these sizes; nil for another.
    public let release: ModelRelease?
    /// What was found and what is left out, a line each, for people.
    public let findings: [String]

    private let transformer: [PendingTensor]
    private let tokenizer: [PendingTensor]
    private let textEncoder: (tensors: [PendingTensor], part: TextEncoderPart)?

    /// The bytes of all tensors that will be written.
    public var byteCount: Int { transformer.byteCount + tokenizer.byteCount + (textEncoder?.tensors.byteCount ?? 0) }

    /// Finds the parts in files and folders and checks them against each other; see <doc:ConvertingCheckpoints>.
    ///
    /// Throws what opening the files throws, and ``VernierError/Code/mismatch`` for parts that are missing (all of them
    /// are named), there several times, incomplete, of another architecture, or of different models.
    public init(of paths: [String], options: ConversionOptions = ConversionOptions()) throws {
        let search = try SourceSearch(paths)
        let parts = try CheckpointParts(search.sources)
        let encoder = try parts.textEncoder.map { try TextEncoderPart($0, pieces: search.pieces) }
        let sizes = try TokenizerSizes(parts.tokenizer)
        var beyond: [String] = []
        switch parts.family {
        case .infinity:
            guard options.heads == nil else {
                throw VernierError(
                    .invalidArgument, at: "heads", expected: "none for Infinity, whose shapes tell them",
                    found: "\(options.heads ?? 0)")
            }
            (configuration, release) = try Self.infinity(parts, sizes, options, &beyond)
        case .var: (configuration, release) = try Self.classes(parts, sizes, options, &beyond)
        }
        if let encoder, case .infinity(let numbers) = configuration.architecture {
            try Self.check(encoder, numbers, parts)
        }
        transformer = try Self.pending(parts.transformer, parts.transformer.names)
        tokenizer = try Self.pending(
            parts.tokenizer, parts.tokenizer.names.filter(ModelPart.isNeededOfImageTokenizer))
        textEncoder = try encoder.map { (try Self.pending($0.part, $0.names), $0) }
        findings =
            [
                Self.line("transformer", parts.transformer, transformer),
                Self.line("tokeniser", parts.tokenizer, tokenizer),
            ] + (textEncoder.map { [Self.line("text encoder", $0.part.part, $0.tensors)] } ?? [])
            + parts.notes
            + (beyond.isEmpty
                ? []
                : [
                    "copied, not used: \(beyond.prefix(5).map { "'\($0)'" }.joined(separator: ", "))"
                        + (beyond.count > 5 ? " and \(beyond.count - 5) more" : "")
                ])
    }

    /// Writes the model directory. Nothing may stand at `path` but an empty folder.
    ///
    /// Throws ``VernierError/Code/fileAccess``, for a full disk before anything is written.
    public func write(to path: String, progress: ProgressHandler? = nil) throws {
        try AtomicFolder.requireFree(path)
        try DiskSpace.require(byteCount + ModelPart.spareBytes, at: path)
        let writer = TensorFileWriter(
            stage: "converting \(configuration.name), MB", totalBytes: byteCount, progress: progress)
        try AtomicFolder.make(path) { folder in
            try writer.writeSafetensors(transformer, to: "\(folder)/\(ModelDirectory.transformerFile)")
            try writer.writeSafetensors(tokenizer, to: "\(folder)/\(ModelDirectory.imageTokenizerFile)")
            if let textEncoder {
                let part = textEncoder.part
                try ModelPart.makeFolder("\(folder)/text_encoder")
                try writer.writeSafetensors(textEncoder.tensors, to: "\(folder)/\(ModelDirectory.textEncoderFile)")
                try ModelPart.copy(
                    part.configurationPath, to: "\(folder)/\(ModelDirectory.textConfigurationFile)")
                try ModelPart.copy(part.piecesPath, to: "\(folder)/\(ModelDirectory.textTokenizerFile)")
            }
            try AtomicFile.write(
                try configuration.json().canonicalText(), to: "\(folder)/\(ModelDirectory.configurationFile)")
            _ = try ModelDirectory(path: folder)
        }
    }

    // MARK: Families

    private static func infinity(
        _ parts: CheckpointParts, _ tokenizer: TokenizerSizes, _ options: ConversionOptions, _ beyond: inout [String]
    ) throws -> (ModelConfiguration, ModelRelease?) {
        let sizes = try InfinitySizes(parts.transformer)
        func numbers(_ aspect: InfinityAspect) throws -> InfinityConfiguration {
            try sizes.configuration(
                tokenizer, part: parts.transformer, tokenizerPart: parts.tokenizer, ropeGrid: aspect.referenceGrid)
        }
        let square = ModelArchitecture.infinity(try numbers(.square))
        let release = ModelRelease.all.first { $0.configuration.architecture == square }
        let official = release.flatMap { InfinitySchedule(of: $0.configuration.schedule) }
        guard let resolution = options.schedule.resolution ?? official?.resolution else {
            throw VernierError(
                .invalidArgument, at: parts.transformer.label,
                expected: "the resolution (--resolution \(InfinityResolution.all.map(\.name).joined(separator: ", ")))",
                found: "none, and no released model of these sizes")
        }
        let schedule = InfinitySchedule(aspect: options.schedule.aspect ?? .square, resolution: resolution)
        let chosen = try numbers(schedule.aspect)
        let configuration = try ModelConfiguration(
            name: options.name ?? release?.name ?? parts.transformer.stem, architecture: .infinity(chosen),
            schedule: schedule.schedule,
            sampling: release?.configuration.sampling
                ?? SamplingDefaults(guidance: 3, temperature: 1, topK: 900, topP: 0.97)
        ).checked()
        beyond = try PartShapes(parts.transformer).check(sizes.layout(chosen), computed: ["block_chunks.", "blocks."])
        return (configuration, release)
    }

    private static func classes(
        _ parts: CheckpointParts, _ tokenizer: TokenizerSizes, _ options: ConversionOptions, _ beyond: inout [String]
    ) throws -> (ModelConfiguration, ModelRelease?) {
        guard options.schedule == .standard else {
            throw VernierError(
                .invalidArgument, at: parts.transformer.label,
                expected: "no resolution and no aspect: a VAR model draws what it learned positions for",
                found: "one of them")
        }
        let sizes = try VARSizes(parts.transformer, heads: options.heads)
        let numbers = try sizes.configuration(tokenizer, part: parts.transformer, tokenizerPart: parts.tokenizer)
        let release = ModelRelease.all.first {
            $0.configuration.architecture == .var(numbers) && $0.configuration.schedule == sizes.schedule
        }
        let configuration = try ModelConfiguration(
            name: options.name ?? release?.name ?? parts.transformer.stem, architecture: .var(numbers),
            schedule: sizes.schedule,
            sampling: release?.configuration.sampling
                ?? SamplingDefaults(guidance: 4, temperature: 1, topK: 900, topP: 0.95)
        ).checked()
        beyond = try PartShapes(parts.transformer).check(sizes.layout(numbers), computed: ["blocks."])
        return (configuration, release)
    }

    private static func check(
        _ encoder: TextEncoderPart, _ numbers: InfinityConfiguration, _ parts: CheckpointParts
    ) throws {
        guard encoder.configuration.width == numbers.transformer.textWidth else {
            throw VernierError(
                .mismatch, at: encoder.part.label,
                expected: "a text encoder of \(numbers.transformer.textWidth) channels, as the transformer in "
                    + "\(parts.transformer.source.tensors.sourceName) was trained with",
                found: "one of \(encoder.configuration.width)", remedy: TextEncoderPart.remedy)
        }
    }

    // MARK: Tensors

    private static func pending(_ part: FoundPart, _ names: [String]) throws -> [PendingTensor] {
        let tensors = part.tensors
        return try names.map { name in
            let view = try tensors.view(name)
            return PendingTensor(name: name, elementType: view.elementType, shape: view.shape) {
                try tensors.view(name)
            }
        }
    }

    private static func line(_ what: String, _ part: FoundPart, _ tensors: [PendingTensor]) -> String {
        let left = part.names.count - tensors.count
        return "\(what): \(part.label): \(tensors.count) tensors, \(tensors.byteCount) bytes"
            + (left > 0 ? "; \(left) that drawing does not need are left out" : "")
    }
}
