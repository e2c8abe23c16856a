import Checkpoints
import ProfileFormat
import TensorKernels

/// The part of VAR's VQ-VAE that inference needs (`models.md` section 2.3): codebook, residual convolutions, decoder.
public final class VARTokenizer: Sendable {
    /// Codebook entries V.
    public let codebookSize: Int
    /// The decoder; its channels are those of a code.
    public let decoder: ImageDecoder
    let convolutions: ResidualConvolutions
    private let codebook: [Float]  // [V, d]

    /// Reads the tokeniser's tensors; the encoder's are left alone.
    ///
    /// Throws ``VernierError/Code/mismatch`` naming every missing or misshapen tensor, and
    /// ``VernierError/Code/nonFinite`` for a NaN or infinity.
    public init(shape: VARShape, tensors: any TensorSource) throws {
        let channels = shape.codeChannels
        var weights = TokenizerWeights(tensors)
        weights.requirements.add("quantize.embedding.weight", shape: [shape.codebookSize, channels])
        ResidualConvolutions.addRequirements(&weights, channels: channels)
        decoder = try ImageDecoder(
            kind: .codebook, channels: channels, baseChannels: shape.tokenizerBaseChannels,
            multipliers: shape.tokenizerMultipliers, weights: weights)
        codebookSize = shape.codebookSize
        codebook = try tensors.float32("quantize.embedding.weight")
        convolutions = try ResidualConvolutions(
            weights, channels: channels, scaleCount: shape.schedule.scaleCount)
    }

    /// Writes the codes `[count, d]` of codebook entries.
    /// - Precondition: every index is in 0 ..< V.
    func writeCodes(of indices: UnsafePointer<Int32>, count: Int, into codes: UnsafeMutablePointer<Float>) {
        let d = decoder.channels
        codebook.withUnsafeBufferPointer { codebook in
            for row in 0..<count {
                let entry = Int(indices[row])
                precondition((0..<codebookSize).contains(entry), "every index is in 0 ..< V")
                for i in 0..<d { codes[row * d + i] = codebook[entry * d + i] }
            }
        }
    }

    /// Writes the codes `[count, d]` mixed with weights `[count, V]`; weights of 0 cost nothing.
    func writeCodes(
        mixedBy weights: UnsafePointer<Float>, count: Int, into codes: UnsafeMutablePointer<Float>
    ) {
        let d = decoder.channels
        codes.update(repeating: 0, count: count * d)
        codebook.withUnsafeBufferPointer { codebook in
            for row in 0..<count {
                for entry in 0..<codebookSize where weights[row * codebookSize + entry] > 0 {
                    let weight = weights[row * codebookSize + entry]
                    for i in 0..<d { codes[row * d + i] += weight * codebook[entry * d + i] }
                }
            }
        }
    }
}
