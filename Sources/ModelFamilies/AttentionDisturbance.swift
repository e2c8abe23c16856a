import KVCacheRuntime
import ProfileFormat
import TensorKernels

/// A small, seeded disturbance of one layer's attention outputs, and a measure of how far it moves the residual stream.
///
/// At every scale with a history (0 has none to lose), the output of each head of each sequence gains random signs times
/// ``relativeSize`` times the root mean square of that head's output over the map: noise of the size and in the
/// directions of real outputs, as a coarser cache would make it. The signs are a function of the image's seed, the branch and
/// the place, whatever the batch. Branches are disturbed independently.
public struct AttentionDisturbance {
    /// Receives the squared error at the residual stream, `sum over tokens and branches of norm2(gamma1 * W_o delta)^2`,
    /// that the disturbance `delta` of an image's map caused.
    public typealias ErrorHandler = (_ scale: Int, _ image: Int, _ squaredError: Double) -> Void

    /// The disturbed layer.
    public let layer: Int
    /// The disturbance over the root mean square of the head's output.
    public let relativeSize: Float
    /// Keys of the signs, one an image.
    public let seeds: [UInt64]
    private let report: ErrorHandler

    /// Counter words that keep the signs apart from the noise of pictures (0) and the signs of sketches (1, 2).
    private static let firstDomain: UInt32 = 3

    /// Describes a disturbance; `report` is called on the generating thread, once an image and scale.
    public init(layer: Int, relativeSize: Float, seeds: [UInt64], report: @escaping ErrorHandler) {
        self.layer = layer
        self.relativeSize = relativeSize
        self.seeds = seeds
        self.report = report
    }

    /// Whether a layer's outputs at a scale are disturbed.
    func acts(layer: Int, scale: Int) -> Bool { layer == self.layer && scale > 0 }

    /// Disturbs attention outputs `[sequences, n_k, H * D]` in place.
    func disturb(_ outputs: UnsafeMutablePointer<Float>, scale: Int, geometry: CacheGeometry) {
        let tokens = geometry.schedule.tokenCount(scale), d = geometry.headWidth, width = geometry.heads * d
        for sequence in 0..<geometry.sequences {
            let map = outputs + sequence * tokens * width
            let sizes = (0..<geometry.heads).map { head -> Float in
                var square = 0.0
                for token in 0..<tokens {
                    for i in 0..<d {
                        let value = Double(map[token * width + head * d + i])
                        square += value * value
                    }
                }
                return relativeSize * Float((square / Double(tokens * d)).squareRoot())
            }
            let random = CounterRandom(seed: seeds[sequence % geometry.images])
            let domain = Self.firstDomain + UInt32(geometry.branch(ofSequence: sequence))
            for token in 0..<tokens {
                for first in stride(from: 0, to: width, by: 128) {
                    let block = random.words(UInt32(token), UInt32(first / 128), UInt32(scale), domain)
                    let words = [block.0, block.1, block.2, block.3]
                    for channel in first..<min(first + 128, width) {
                        let bit = words[(channel - first) / 32] >> UInt32(channel % 32) & 1
                        map[token * width + channel] += bit == 0 ? sizes[channel / d] : -sizes[channel / d]
                    }
                }
            }
        }
    }

    /// Measures what the disturbance did to projected outputs `[sequences, n_k, C]`, with gamma1 at the head of each
    /// sequence's `gateStride` vectors, and reports it.
    func measure(
        clean: UnsafePointer<Float>, disturbed: UnsafePointer<Float>, gates: UnsafePointer<Float>, gateStride: Int,
        width: Int, scale: Int, geometry: CacheGeometry
    ) {
        let tokens = geometry.schedule.tokenCount(scale)
        for image in 0..<geometry.images {
            var sum = 0.0
            for branch in 0..<geometry.branches {
                let sequence = branch * geometry.images + image
                for row in (sequence * tokens)..<((sequence + 1) * tokens) {
                    for i in 0..<width {
                        let moved = Double(disturbed[row * width + i]) - Double(clean[row * width + i])
                        let gated = Double(gates[sequence * gateStride + i]) * moved
                        sum += gated * gated
                    }
                }
            }
            report(scale, image, sum)
        }
    }
}
