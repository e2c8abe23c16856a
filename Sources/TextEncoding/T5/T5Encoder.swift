import Checkpoints
import TensorKernels
import VernierCore

/// The encoder half of T5 1.1 (flan-t5), in single precision.
///
/// `x = embedding(ids)`; per block `x += o(softmax(q k^T + bias) v)` on `RMSNorm(x)`, without a score scale, then
/// `x += wo(gelu_tanh(wi_0 y) * (wi_1 y))` on `y = RMSNorm(x)`; at the end RMSNorm. Bidirectional; every token is real,
/// there is no padding. Source: models.md section 4, after huggingface/transformers:
/// src/transformers/models/t5/modeling_t5.py. Deviation: weights are used in single precision; the official scripts
/// run in half precision, which moves features by about 1e-3.
public final class T5Encoder: Sendable {
    /// The encoder's numbers.
    public let configuration: T5Configuration
    /// The most tokens of a text.
    public let maximumTokens: Int
    private let embedding: TensorView
    private let bias: [Float]  // [32, H]
    private let blocks: [T5Block]
    private let finalNorm: [Float]  // [C]

    /// Loads `config.json` and `model.safetensors` from a folder.
    ///
    /// Throws as ``T5Configuration/init(path:)`` and ``init(_:configuration:maximumTokens:)`` do.
    public convenience init(directory: String, maximumTokens: Int = 512) throws {
        try self.init(
            SafetensorsFile(path: "\(directory)/model.safetensors"),
            configuration: T5Configuration(path: "\(directory)/config.json"), maximumTokens: maximumTokens)
    }

    /// Loads the encoder from tensors under their Hugging Face names; `decoder.*` and `lm_head.*` are ignored.
    ///
    /// The embedding table stays where it is (in the file's map) and is widened row by row. Throws
    /// ``VernierError/Code/mismatch`` naming all tensors that are missing or of another shape,
    /// ``VernierError/Code/nonFinite`` for NaN or infinite weights, and ``VernierError/Code/invalidArgument`` for
    /// `maximumTokens` outside 1 to 65536.
    public init(_ tensors: some TensorSource, configuration: T5Configuration, maximumTokens: Int = 512) throws {
        guard (1...65536).contains(maximumTokens) else {
            throw VernierError(
                .invalidArgument, at: "text encoder", expected: "1 to 65536 tokens", found: "\(maximumTokens)")
        }
        try Self.requirements(configuration).check(tensors)
        self.configuration = configuration
        self.maximumTokens = maximumTokens
        embedding = try tensors.tensor(Self.embeddingNames[0]) ?? tensors.view(Self.embeddingNames[1])
        bias = try tensors.float32(Self.biasName)
        blocks = try (0..<configuration.layers).map {
            try T5Block(tensors.tensors(under: "encoder.block.\($0)."), configuration)
        }
        finalNorm = try tensors.float32(Self.finalNormName)
    }

    /// The features of a text, given as the ids of its tokens, end token included.
    ///
    /// Throws ``VernierError/Code/invalidArgument`` for no ids, for more than ``maximumTokens``, or for ids outside the
    /// embedding table (all of them are named), and ``VernierError/Code/nonFinite`` if the result is not finite.
    public func encode(ids: [Int32]) throws -> TextFeatures {
        let scratch = try hiddenAfterBlocks(ids: ids)
        let width = configuration.width
        let values = [Float](unsafeUninitializedCapacity: scratch.rows * width) { buffer, count in
            if let start = buffer.baseAddress {
                Kernels.rmsNorm(
                    scratch.hidden.pointer, rows: scratch.rows, width: width, epsilon: configuration.epsilon,
                    weight: finalNorm, into: start)
            }
            count = scratch.rows * width
        }
        guard Kernels.allFinite(values, count: values.count) else {
            throw VernierError(
                .nonFinite, at: "text encoder", expected: "finite features", found: "NaN or infinity",
                remedy: "The text encoder's weights are damaged; fetch or export them again.")
        }
        return TextFeatures(rows: scratch.rows, width: width, values: values)
    }

    /// The residual stream `[L, C]` after the last block, before the final norm.
    func hiddenAfterBlocks(ids: [Int32]) throws -> T5Scratch {
        try check(ids)
        let scratch = T5Scratch(rows: ids.count, configuration)
        try embed(ids, into: scratch.hidden)
        let bias = biasByDistance(rows: ids.count)
        for block in blocks { block.apply(scratch, bias: bias) }
        return scratch
    }

    private func check(_ ids: [Int32]) throws {
        guard (1...maximumTokens).contains(ids.count) else {
            throw VernierError(
                .invalidArgument, at: "text encoder", expected: "1 to \(maximumTokens) ids", found: "\(ids.count)",
                remedy: "Shorten the text; the tokeniser does so when it is made with the same limit.")
        }
        let outside = ids.indices.filter { !(0..<configuration.idCount).contains(Int(ids[$0])) }
        guard outside.isEmpty else {
            throw VernierError(
                .invalidArgument, at: "text encoder",
                problems: outside.prefix(20).map {
                    "expected ids from 0 to \(configuration.idCount - 1), found \(ids[$0]) at index \($0)"
                } + (outside.count > 20 ? ["and \(outside.count - 20) more"] : []),
                remedy: "Use the tokeniser that belongs to this text encoder.")
        }
    }

    private func embed(_ ids: [Int32], into hidden: FloatBuffer) throws {
        for (row, id) in ids.enumerated() {
            let target = UnsafeMutableBufferPointer(
                start: hidden.pointer + row * configuration.width, count: configuration.width)
            try embedding.row(Int(id)).copyFloat32(into: target)
        }
    }

    /// What each head adds to a score, by distance: `[H, 2L - 1]`, entry `delta + L - 1` for a key `delta` after the
    /// query.
    private func biasByDistance(rows: Int) -> [Float] {
        let distances = (1 - rows)...(rows - 1)
        return (0..<configuration.heads).flatMap { head in
            distances.map { bias[RelativeBuckets.bucket($0) * configuration.heads + head] }
        }
    }

    private static let embeddingNames = ["shared.weight", "encoder.embed_tokens.weight"]
    private static let biasName = "encoder.block.0.layer.0.SelfAttention.relative_attention_bias.weight"
    private static let finalNormName = "encoder.final_layer_norm.weight"

    private static func requirements(_ configuration: T5Configuration) -> TensorRequirements {
        var requirements = TensorRequirements()
        requirements.add(
            embeddingNames[0], embeddingNames[1], shape: [configuration.idCount, configuration.width])
        requirements.add(biasName, shape: [RelativeBuckets.count, configuration.heads])
        for block in 0..<configuration.layers {
            for (name, shape) in T5Block.shapes(configuration) {
                requirements.add("encoder.block.\(block).\(name)", shape: shape)
            }
        }
        requirements.add(finalNormName, shape: [configuration.width])
        return requirements
    }
}
