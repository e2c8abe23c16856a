import Checkpoints
import TensorKernels
import TestSupport
import Testing

/// Row and element kernels against `basic-a` (PyTorch, float32).
@Suite struct BasicGoldenTests {
    let golden: SafetensorsFile

    init() throws { golden = try Golden.open("basic-a") }

    private func apply(
        _ count: Int, _ body: (UnsafeMutablePointer<Float>) throws -> Void
    ) rethrows -> [Float] {
        let result = FloatBuffer.zeros(count: count)
        try body(result.pointer)
        return result.array
    }

    @Test func layerNormPlainAndAffine() throws {
        let x = try golden.float32("norm.in"), w = try golden.float32("norm.weight"),
            b = try golden.float32("norm.bias")
        let plain = apply(x.count) { Kernels.layerNorm(x, rows: 12, width: 48, into: $0) }
        try expectClose(plain, golden.view("layer_norm.plain"), tolerance: 3e-4, what: "LayerNorm")
        let affine = apply(x.count) { Kernels.layerNorm(x, rows: 12, width: 48, weight: w, bias: b, into: $0) }
        try expectClose(affine, golden.view("layer_norm.affine"), tolerance: 3e-4, what: "affine LayerNorm")
    }

    @Test func rmsNorm() throws {
        let x = try golden.float32("norm.in"), w = try golden.float32("norm.weight")
        let y = apply(x.count) { Kernels.rmsNorm(x, rows: 12, width: 48, weight: w, into: $0) }
        try expectClose(y, golden.view("rms_norm"), tolerance: 2e-5, what: "RMSNorm")
    }

    @Test func groupNorm() throws {
        let x = try golden.float32("group_norm.in"), w = try golden.float32("group_norm.weight")
        let b = try golden.float32("group_norm.bias"), expected = try golden.float32("group_norm.out")
        for image in 0..<4 {
            var lastAxis = [Float](repeating: 0, count: 15 * 64)
            for c in 0..<64 { for p in 0..<15 { lastAxis[p * 64 + c] = x[(image * 64 + c) * 15 + p] } }
            let y = apply(15 * 64) {
                GroupNormFactors(lastAxis, pixels: 15, weight: w, bias: b)
                    .apply(lastAxis, pixels: 15, thenSilu: false, into: $0)
            }
            var first = [Float](repeating: 0, count: 15 * 64)
            for c in 0..<64 { for p in 0..<15 { first[c * 15 + p] = y[p * 64 + c] } }
            expectClose(
                first, Array(expected[(image * 960)..<((image + 1) * 960)]), tolerance: 2e-5,
                what: "group norm of image \(image)")
        }
    }

    @Test func activations() throws {
        let x = try golden.float32("activation.in")
        let gelu = apply(x.count) {
            $0.update(from: x, count: x.count)
            Kernels.geluTanh($0, count: x.count)
        }
        let silu = apply(x.count) { Kernels.silu(x, count: x.count, into: $0) }
        // Beyond 10 the tolerance is relative (1e-6), inside absolute (2e-5): compare after dividing the large ones.
        for (name, actual) in [("gelu_tanh", gelu), ("silu", silu)] {
            let expected = try golden.float32(name)
            let scale = expected.map { max(1, abs($0) * 1e-6 / 2e-5) }
            expectClose(
                zip(actual, scale).map { $0 / $1 }, zip(expected, scale).map { $0 / $1 }, tolerance: 2e-5, what: name)
        }
    }

    @Test func l2Normalise() throws {
        let x = try golden.float32("l2norm.in")
        let y = apply(x.count) {
            $0.update(from: x, count: x.count)
            Kernels.l2Normalise($0, rows: 9, width: 16)
        }
        try expectClose(y, golden.view("l2norm.out"), tolerance: 2e-5, what: "l2 norm")
    }

    @Test func softmax() throws {
        // The rows contain -infinity on purpose, which weights must not: read the bytes as they are.
        let x = try golden.view("softmax.in").withBytes { bytes in
            (0..<(bytes.count / 4)).map { bytes.loadUnaligned(fromByteOffset: $0 * 4, as: Float.self) }
        }
        let y = apply(x.count) {
            $0.update(from: x, count: x.count)
            Kernels.softmaxRows($0, rows: 7, width: 33)
        }
        try expectClose(y, golden.view("softmax.out"), tolerance: 2e-5, what: "softmax")
        for (value, logit) in zip(y, x) where logit == -.infinity { #expect(value == 0) }
    }
}
