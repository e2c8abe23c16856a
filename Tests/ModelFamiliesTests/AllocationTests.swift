import CAllocationCounter
import Generation
import KVCacheRuntime
import ModelFamilies
import ProfileFormat
import TensorKernels
import TestSupport
import Testing

/// In steady state a scale allocates nothing: counted over all threads, in a process of its own.
///
/// To see where allocations come from, call `allocation_trace(1)` where ``Count`` warms up.
@Suite(.enabled(if: allocation_counting_available() == 1)) struct AllocationTests {
    /// What a batch allocates, by stage, when others went before it. Of several batches the least: a thread of the pool
    /// that takes its first part of some work late grows its own memory then, once.
    struct Count {
        /// Before the first scale: conditions, and what is computed once per image.
        let preparing: Int
        /// By scale: guidance, draws and codes of the scale before, then input, transformer and cache.
        let scales: [Int]
        /// Guidance, draws and codes of the last scale, then the results.
        let finishing: Int

        init(
            _ model: any NextScaleModel, cache: KVCache, conditions: [ImageCondition], settings: SamplingSettings
        ) throws {
            let generator = NextScaleGenerator(model: model, cache: cache)
            let seeds = (0..<UInt64(cache.geometry.images)).map { $0 }
            // Readings of the clock: start, prepared, for every scale its input and its transformer, finished.
            let scaleCount = cache.geometry.schedule.scaleCount, readings = 2 * scaleCount + 3
            let marks = ScratchBuffer<Int>(readings + 1), pointer = marks.pointer
            nonisolated(unsafe) let (place, places) = (pointer, pointer + 1)
            var least = [Int](repeating: .max, count: readings - 1)
            for batch in 0..<5 {
                place[0] = 0
                // Every reading notes how much has been allocated so far.
                let clock = StageClock {
                    places[place[0]] = allocation_count()
                    place[0] += 1
                    return Double(place[0])
                }
                _ = try generator.generate(conditions: conditions, seeds: seeds, settings: settings, clock: clock)
                precondition(place[0] == readings, "two readings a scale, three besides")
                guard batch > 0 else { continue }
                for interval in least.indices {
                    least[interval] = min(least[interval], places[interval + 1] - places[interval])
                }
            }
            withExtendedLifetime(marks) {}
            preparing = least[0]
            scales = (0..<scaleCount).map { least[2 * $0 + 1] + least[2 * $0 + 2] }
            finishing = least[readings - 2]
        }
    }

    /// The shipped model with one of its profiles, or with the full cache.
    private static func tangram(_ profileName: String?, images: Int) throws -> Count {
        let model = try ImageModel(path: TangramParityTests.modelPath)
        let profile = try profileName.map {
            try Profile(contentsOf: "\(TangramParityTests.root)/Profiles/\($0)")
        }
        let stack = model.network.stack
        let cache = try KVCache(
            geometry: stack.geometry(branches: 2, images: images),
            capacities: profile?.capacities ?? stack.fullCapacities,
            retention: try profile.map { try Retention(of: $0) } ?? .rule(SlidingWindowRule()),
            storage: profile?.storage ?? .float32)
        let text = try (0..<images).map { try model.encode("a small red circle left of \($0) large blue squares") }
        return try Count(
            model.network, cache: cache,
            conditions: text + text.map { try model.network.unconditional(for: $0) },
            settings: model.defaultSettings)
    }

    @Test func aScaleWithTheFullCacheAllocatesNothing() async {
        await #expect(processExitsWith: .success) {
            for images in [1, 2] {
                let count = try Self.tangram(nil, images: images)
                #expect(count.scales == [Int](repeating: 0, count: 9), "\(count)")
                // Arrays: choices of each scale and image, codes of each image, and what holds them.
                #expect(count.finishing == 1 + 9 + 9 * images + 1 + images, "\(count)")
            }
        }
    }

    @Test func aScaleWithAPoolingPlanAllocatesNothing() async {
        await #expect(processExitsWith: .success) {
            let count = try Self.tangram("tangram-10.json", images: 1)
            #expect(count.scales == [Int](repeating: 0, count: 9), "\(count)")
        }
    }

    @Test func aScaleOfAClassModelAllocatesNothing() async {
        await #expect(processExitsWith: .success) {
            let golden = try GoldenCase("var-b")
            for mixes in [false, true] {
                var settings = golden.settings
                settings.mixesCodes = mixes
                let count = try Count(
                    golden.model, cache: golden.makeCache(), conditions: golden.conditions, settings: settings)
                #expect(count.scales == [Int](repeating: 0, count: 5), "\(count)")
            }
        }
    }

    /// What a picture does allocate are its results and what its text contributes: no map of the decoder, no activations.
    @Test func aPictureIsMadeInTheMemoryOfTheLast() async {
        await #expect(processExitsWith: .success) {
            let model = try ImageModel(path: TangramParityTests.modelPath), generator = try ImageGenerator(model: model)
            let request = ImageRequest(condition: try model.encode("a small red circle"), seed: 1)
            var counts: [(blocks: Int, bytes: Int)] = []
            for _ in 0..<5 {
                let before = (allocation_count(), allocated_bytes())
                _ = try generator.generateBatch([request], settings: model.defaultSettings)
                counts.append((allocation_count() - before.0, allocated_bytes() - before.1))
            }
            let blocks = counts.dropFirst().map(\.blocks).min() ?? 0, bytes = counts.dropFirst().map(\.bytes).min() ?? 0
            #expect(blocks < 500 && bytes * 10 < counts[0].bytes, "\(counts)")
        }
    }

    /// The counter does count, whatever thread allocates.
    @Test func allocationsAreSeen() async {
        await #expect(processExitsWith: .success) {
            let before = allocation_count()
            let blocks = ScratchBuffer<UnsafeMutablePointer<Float>>(64), pointers = blocks.pointer
            Parallel.forEach(parts: 64) { pointers[$0] = .allocate(capacity: 1000 + $0) }
            #expect(allocation_count() - before >= 64)
            for place in 0..<64 { pointers[place].deallocate() }
        }
    }
}
