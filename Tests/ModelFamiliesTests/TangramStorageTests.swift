import Generation
import KVCacheRuntime
import ModelFamilies
import ProfileFormat
import Testing

#if canImport(Glibc)
import Glibc
#elseif canImport(Darwin)
import Darwin
#endif

/// What narrow storage of the whole history does to the shipped model's pictures.
@Suite struct TangramStorageTests {
    /// dB of a picture against another, both with values from 0 to 1.
    private func peakSignalNoise(_ a: [Float], _ b: [Float]) -> Double {
        let squares = zip(a, b).reduce(0.0) { $0 + Double($1.0 - $1.1) * Double($1.0 - $1.1) }
        return squares == 0 ? 99 : -10 * log10(squares / Double(a.count))
    }

    @Test func narrowFormatsKeepThePicture() throws {
        let model = try ImageModel(path: TangramParityTests.modelPath), stack = model.network.stack
        let prompts = try Corpus(path: TangramParityTests.root + "/Calibration/Corpora/tangram-heldout.jsonl").prompts
        let text = try prompts.prefix(6).map { try model.request(for: $0, seed: 0).condition }
        let conditions = try text + text.map { try model.network.unconditional(for: $0) }
        func pictures(_ storage: CellStorage) throws -> [[Float]] {
            let cache = try KVCache(
                geometry: stack.geometry(branches: 2, images: text.count), capacities: stack.fullCapacities,
                selector: SlidingWindowRule(), storage: storage)
            let output = try NextScaleGenerator(model: model.network, cache: cache).generate(
                conditions: conditions, seeds: text.indices.map(UInt64.init), settings: model.defaultSettings)
            #expect(cache.ledger.peakResidentBytes == cache.ledger.predictedResidentBytes)
            return output.codes.map(model.network.decode)
        }
        let full = try pictures(.float32)
        // Limits a few dB below what was measured on these six prompts; one bit that falls otherwise costs several.
        for (storage, limit) in [(CellStorage.bfloat16, 38.0), (.int8, 35), (.int4, 30)] {
            let decibels = zip(full, try pictures(storage)).map(peakSignalNoise)
            let mean = decibels.reduce(0, +) / Double(decibels.count)
            #expect(mean > limit, "\(storage): \(decibels)")
        }
    }
}
