import Checkpoints
import Generation
import ProfileFormat
import TextEncoding
import VernierCore

/// A random checkpoint with the shapes of a released model, for tests of scale: what it computes means nothing, but every
/// activation is finite and no picture is constant.
///
/// Numbers depend on the seed, the tensor's name and the place in it alone; they are made tensor by tensor while the
/// files are written.
public struct SyntheticCheckpoint: Sendable {
    /// The model whose shapes it has.
    public let release: ModelRelease
    private let seed: UInt64
    private let floatType: ElementType
    /// The text encoder's numbers and its SentencePiece model; nil for a class-conditional model.
    private let text: (sizes: T5Configuration, pieces: String)?

    /// Chooses what to make.
    ///
    /// - Parameters:
    ///   - textLayers: Blocks of the text encoder, which has the widths of flan-t5-xl; nil for its 24.
    ///   - pieces: The path of a SentencePiece model with T5's control tokens, which an Infinity model needs.
    ///
    /// Throws ``VernierError/Code/invalidArgument`` for an element type other than F32, BF16 and for text options where
    /// there is no text or none where there is, and as ``TextTokenizer/init(path:maximumTokens:embeddingRows:)`` does.
    public init(
        of release: ModelRelease, seed: UInt64 = 0, floatType: ElementType = .f32, textLayers: Int? = nil,
        pieces: String? = nil
    ) throws {
        guard [.f32, .bf16].contains(floatType) else {
            throw VernierError(
                .invalidArgument, at: "weights", expected: "F32 or BF16", found: floatType.name)
        }
        self.release = release
        self.seed = seed
        self.floatType = floatType
        guard case .infinity(let numbers) = release.configuration.architecture else {
            guard textLayers == nil, pieces == nil else {
                throw VernierError(
                    .invalidArgument, at: release.name, expected: "no text encoder, as the model draws classes",
                    found: pieces == nil ? "its layers" : "a SentencePiece model")
            }
            text = nil
            return
        }
        guard let pieces else {
            throw VernierError(
                .invalidArgument, at: release.name, expected: "a SentencePiece model for the text encoder",
                found: "none", remedy: "Give the spiece.model of a T5 model, or of another model directory.")
        }
        let layers = textLayers ?? T5Configuration.flanXL.layers
        guard (1...1024).contains(layers) else {
            throw VernierError(
                .invalidArgument, at: "text layers", expected: "1 to 1024", found: "\(layers)")
        }
        let xl = T5Configuration.flanXL
        let sizes = T5Configuration(
            width: numbers.transformer.textWidth, mlpWidth: xl.mlpWidth, headWidth: xl.headWidth, heads: xl.heads,
            layers: layers, idCount: xl.idCount, epsilon: xl.epsilon)
        _ = try TextTokenizer(path: pieces, embeddingRows: sizes.idCount)
        text = (sizes, pieces)
    }

    /// Writes a model directory. Nothing may stand at `path` but an empty folder.
    ///
    /// Throws ``VernierError/Code/fileAccess``, for a full disk before anything is written.
    public func writeDirectory(to path: String, progress: ProgressHandler? = nil) throws {
        let transformer = pending(transformerLayout)
        let tokenizer = pending(tokenizerLayout.filtered(ModelPart.isNeededOfImageTokenizer))
        let encoder = text.map { pending(.t5Encoder($0.sizes)) } ?? []
        try make(path, bytes: (transformer + tokenizer + encoder).byteCount, progress) { folder, writer in
            try writer.writeSafetensors(transformer, to: "\(folder)/\(ModelDirectory.transformerFile)")
            try writer.writeSafetensors(tokenizer, to: "\(folder)/\(ModelDirectory.imageTokenizerFile)")
            if let text {
                try ModelPart.makeFolder("\(folder)/text_encoder")
                try writer.writeSafetensors(encoder, to: "\(folder)/\(ModelDirectory.textEncoderFile)")
                try write(
                    text, configuration: "\(folder)/\(ModelDirectory.textConfigurationFile)",
                    pieces: "\(folder)/\(ModelDirectory.textTokenizerFile)")
            }
            try AtomicFile.write(
                try release.configuration.json().canonicalText(), to: "\(folder)/\(ModelDirectory.configurationFile)")
        }
    }

    /// Writes the files as the release is distributed: torch files, the tokeniser's encoder in it and, for Infinity, its
    /// weights under `vae`; safetensors in shards for the 8B model and the text encoder, whose decoder is left out.
    ///
    /// Throws as ``writeDirectory(to:progress:)`` does.
    public func writeReleasedFiles(to path: String, progress: ProgressHandler? = nil) throws {
        let names = ReleasedFiles(of: release)
        let transformer = pending(transformerLayout), tokenizer = pending(tokenizerLayout)
        let encoder = text.map { pending(.t5Encoder($0.sizes)) } ?? []
        try make(path, bytes: (transformer + tokenizer + encoder).byteCount, progress) { folder, writer in
            if names.isTransformerTorch {
                try writer.writeTorch(transformer, to: "\(folder)/\(names.transformer)")
            } else {
                try ModelPart.makeFolder("\(folder)/\(names.transformer)")
                try writer.writeShards(
                    transformer, largestBytes: ReleasedFiles.transformerShardBytes,
                    toFolder: "\(folder)/\(names.transformer)")
            }
            try writer.writeTorch(
                tokenizer, under: text == nil ? nil : ReleasedFiles.tokenizerKey,
                to: "\(folder)/\(names.imageTokenizer)")
            guard let text else { return }
            let place = "\(folder)/\(ReleasedFiles.textEncoder)"
            try ModelPart.makeFolder(place)
            try writer.writeShards(encoder, largestBytes: ReleasedFiles.textEncoderShardBytes, toFolder: place)
            try write(text, configuration: "\(place)/config.json", pieces: "\(place)/spiece.model")
        }
    }

    // MARK: Parts

    var transformerLayout: CheckpointLayout {
        switch release.configuration.architecture {
        case .infinity(let numbers): .infinityTransformer(numbers.transformer)
        case .var(let numbers):
            .varTransformer(
                numbers, schedule: release.configuration.schedule,
                sharesModulation: ReleasedFiles(of: release).sharesModulation)
        }
    }

    var tokenizerLayout: CheckpointLayout {
        .imageTokenizer(of: release.configuration.architecture, scales: release.configuration.schedule.scaleCount)
    }

    /// The text encoder's numbers; nil for a class-conditional model.
    var textSizes: T5Configuration? { text?.sizes }

    private func pending(_ layout: CheckpointLayout) -> [PendingTensor] {
        Self.pending(layout, seed: seed, floatType: floatType)
    }

    static func pending(_ layout: CheckpointLayout, seed: UInt64, floatType: ElementType) -> [PendingTensor] {
        layout.tensors.map { declaration in
            let tensor = SyntheticTensor(declaration: declaration, floatType: floatType, seed: seed)
            return PendingTensor(
                name: declaration.name, elementType: tensor.elementType, shape: declaration.shape, make: tensor.made)
        }
    }

    private func make(
        _ path: String, bytes: Int, _ progress: ProgressHandler?,
        _ body: (_ folder: String, TensorFileWriter) throws -> Void
    ) throws {
        try AtomicFolder.requireFree(path)
        try DiskSpace.require(bytes + ModelPart.spareBytes, at: path)
        let writer = TensorFileWriter(stage: "writing \(release.name), MB", totalBytes: bytes, progress: progress)
        try AtomicFolder.make(path) { try body($0, writer) }
    }

    private func write(
        _ text: (sizes: T5Configuration, pieces: String), configuration: String, pieces: String
    ) throws {
        try AtomicFile.write(try text.sizes.json().canonicalText(), to: configuration)
        try ModelPart.copy(text.pieces, to: pieces)
    }
}
