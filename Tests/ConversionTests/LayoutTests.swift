import Checkpoints
import TestSupport
import Testing
import TextEncoding

@testable import Conversion

/// Layouts against the tables of `models.md`: tensors, parameters, bytes.
@Suite struct LayoutTests {
    private struct Released: Sendable, CustomTestStringConvertible {
        let name: String
        let tensors: Int
        let parameters: Int
        let bytes: Int
        var testDescription: String { name }
    }

    private static func byteCount(_ layout: CheckpointLayout) -> Int {
        layout.tensors.reduce(0) { $0 + $1.elementCount * ($1.isInteger ? 8 : 4) }
    }

    /// Sections 2.1, 2.2, 3.1, 3.3 and 6.
    private static let transformers = [
        Released(name: "var-d16", tensors: 220, parameters: 310_283_520, bytes: 1_243_054_656),
        Released(name: "var-d20", tensors: 272, parameters: 600_917_136, bytes: 2_405_625_984),
        Released(name: "var-d24", tensors: 324, parameters: 1_033_399_360, bytes: 4_135_599_936),
        Released(name: "var-d30", tensors: 402, parameters: 2_010_020_356, bytes: 8_042_166_864),
        Released(name: "var-d36", tensors: 446, parameters: 2_353_893_904, bytes: 9_435_995_712),
        Released(name: "infinity-125m", tensors: 274, parameters: 125_148_800, bytes: 500_672_000),
        Released(name: "infinity-2b", tensors: 694, parameters: 2_204_564_032, bytes: 8_818_788_608),
        Released(name: "infinity-8b", tensors: 862, parameters: 8_375_791_824, bytes: 33_504_328_512),
    ]

    @Test(arguments: transformers)
    private func transformerHoldsWhatTheReleasedFileHolds(_ released: Released) throws {
        let layout = try Self.checkpoint(released.name).transformerLayout
        #expect(layout.tensors.count == released.tensors)
        #expect(layout.parameterCount == released.parameters)
        #expect(Self.byteCount(layout) == released.bytes)
        #expect(Set(layout.tensors.map(\.name)).count == released.tensors, "names are distinct")
    }

    /// Sections 2.1, 2.3, 3.8 and 6; binary tokenisers have a mask beside, which inference does not need.
    private static let tokenizers = [
        Released(name: "var-d16", tensors: 324, parameters: 108_948_355, bytes: 435_957_260),
        Released(name: "infinity-125m", tensors: 268, parameters: 109_970_579, bytes: 439_882_316),
        Released(name: "infinity-2b", tensors: 268, parameters: 110_118_051, bytes: 440_472_204),
        Released(name: "infinity-8b", tensors: 224, parameters: 81_624_209, bytes: 326_496_836),
    ]

    @Test(arguments: tokenizers)
    private func tokenizerHoldsWhatTheReleasedFileHolds(_ released: Released) throws {
        let layout = try Self.checkpoint(released.name).tokenizerLayout
        #expect(layout.tensors.count == released.tensors)
        #expect(layout.parameterCount == released.parameters)
        #expect(Self.byteCount(layout) == released.bytes)
    }

    /// Section 4.
    @Test func textEncoderHasTheParametersOfFlanXL() {
        #expect(CheckpointLayout.t5Encoder(.flanXL).parameterCount == 1_223_527_424)
    }

    @Test func everyReleaseHasItsRow() {
        #expect(Set(ModelRelease.all.map(\.name)) == Set(Self.transformers.map(\.name)))
    }

    private static func checkpoint(_ name: String) throws -> SyntheticCheckpoint {
        try SyntheticCheckpoint(
            of: ModelRelease(named: name),
            pieces: name.hasPrefix("var") ? nil : Golden.path("tok-a.spiece.model"))
    }
}
