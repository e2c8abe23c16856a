import TestSupport
import Testing
import VernierCore

@testable import TensorKernels

/// Layers whose weights are read part by part against those that are given whole.
@Suite struct PackedWeightsTests {
    private struct Unreadable: Error, Equatable { let row: Int }

    /// More rows than one part has, panels that are not full, weights that bfloat16 holds and that it does not.
    @Test(arguments: [(1, 1), (33, 7), (700, 1030), (40, 20_000)])
    func readingPartByPartChangesNothing(outputs: Int, inputs: Int) throws {
        var random = SplitMix64(seed: 4)
        let wide = random.floats(outputs * inputs), narrow = wide.map { Float(nearestBFloat16($0)) }
        for arithmetic in Arithmetic.allCases where arithmetic.isSupported {
            for (weight, fits) in [(wide, false), (narrow, false), (narrow, true)] {
                let whole = LinearLayer(
                    weight: weight, bias: nil, outputs: outputs, inputs: inputs, arithmetic: arithmetic)
                let read = try LinearLayer(
                    outputs: outputs, inputs: inputs, fitBFloat16: fits, arithmetic: arithmetic
                ) { rows, target in
                    for place in 0..<rows.count * inputs { target[place] = weight[rows.lowerBound * inputs + place] }
                }
                expectSame(read.weight, whole.weight, what: "\(arithmetic) weight")
                #expect(read.byteCount == whole.byteCount)
                let x = random.floats(5 * inputs)
                expectSame(read(x, rows: 5), whole(x, rows: 5), what: "\(arithmetic) product")
            }
        }
    }

    @Test func theLowestFailureIsThrown() {
        #expect(throws: Unreadable(row: 256)) {
            _ = try LinearLayer(outputs: 5000, inputs: 2048, fitBFloat16: true, arithmetic: .float32) { rows, target in
                target.update(repeating: 1, count: rows.count * 2048)
                if rows.lowerBound >= 256 { throw Unreadable(row: rows.lowerBound) }
            }
        }
    }
}
