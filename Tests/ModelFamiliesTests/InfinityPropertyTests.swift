import KVCacheRuntime
import ModelFamilies
import ProfileFormat
import TensorKernels
import TestSupport
import Testing

/// What must hold whatever the weights: independence of batch and threads, equality of a full budget and no profile.
@Suite(.serialized) struct InfinityPropertyTests {
    let golden: InfinityGoldenCase

    init() throws { golden = try InfinityGoldenCase("inf-a") }

    private func free(
        images: Int, text: [TextRows], seeds: [UInt64], capacities: CellCapacities? = nil,
        selector: any SlotSelector = SlidingWindowRule(), observer: (any AttentionObserver)? = nil
    ) throws -> (output: InfinityGenerator.Output, cache: KVCache) {
        let shape = golden.shape
        let cache = try KVCache(
            geometry: CacheGeometry(
                schedule: shape.schedule, layers: shape.depth, heads: shape.heads, headWidth: shape.headWidth,
                branches: 2,
                images: images),
            capacities: capacities ?? .full(schedule: shape.schedule, layers: shape.depth, heads: shape.heads),
            selector: selector)
        var hooks = GenerationHooks()
        hooks.attention = observer
        let output = try InfinityGenerator(transformer: golden.transformer, cache: cache)
            .generate(text: text, seeds: seeds, settings: golden.settings, hooks: hooks)
        return (output, cache)
    }

    private func capacities(atMost most: Int) -> CellCapacities {
        let shape = golden.shape
        var result = CellCapacities(
            branchCount: 1, scaleCount: shape.schedule.scaleCount, layerCount: shape.depth, headCount: shape.heads)
        for scale in 0..<shape.schedule.scaleCount {
            for layer in 0..<shape.depth {
                for head in 0..<shape.heads {
                    // Uneven on purpose: layers and heads differ, and layer 1 shrinks while others grow.
                    let wanted = layer == 1 ? most - 4 * scale : most + 3 * layer + 5 * head
                    result[0, scale, layer, head] = min(shape.schedule.historyTokens(scale), max(wanted, 1))
                }
            }
        }
        return result
    }

    @Test func aPictureDoesNotDependOnItsBatchOrOnThreads() throws {
        let t = golden.text
        let both = try free(images: 2, text: t, seeds: [5, 6]).output
        let first = try free(images: 1, text: [t[0], t[2]], seeds: [5]).output
        let second = try free(images: 1, text: [t[1], t[3]], seeds: [6]).output
        for scale in both.bits.indices {
            expectSame(first.bits[scale][0], both.bits[scale][0], what: "scale \(scale), image 0 alone")
            expectSame(second.bits[scale][0], both.bits[scale][1], what: "scale \(scale), image 1 alone")
        }
        let threads = Parallel.threadCount
        defer { Parallel.setThreadCount(threads) }
        Parallel.setThreadCount(1)
        let single = try free(images: 2, text: t, seeds: [5, 6]).output
        #expect(single.bits == both.bits)
        #expect(single.codes == both.codes)
    }

    @Test func anotherSeedGivesAnotherPicture() throws {
        let a = try free(images: 2, text: golden.text, seeds: [5, 6]).output
        let b = try free(images: 2, text: golden.text, seeds: [5, 7]).output
        #expect(a.bits.map { $0[0] } == b.bits.map { $0[0] })
        #expect(a.bits.map { $0[1] } != b.bits.map { $0[1] })
    }

    /// Every rule: prediction equals measurement, the ledger counts what the plan says, and what is evicted never
    /// returns.
    @Test func ledgerAndNestedRetainedSetsForEveryRule() throws {
        let rules: [any SlotSelector] = [
            AttentionMassRule(), AttentionMassRule(valueNorm: true), ObservationWindowRule(), SinkRecentRule(),
            SlidingWindowRule(), RandomRule(seed: 3), H2ORule(), SnapKVRule(), CakeRule(), ScaleKVCompatRule(),
            HackRule(structuralHeads: HeadSet([[true, false, true], [true]])), AttentionMatchingRule(),
            ObservationWindowRule(pooling: .average(reach: 2)),
        ]
        let shape = golden.shape, plan = capacities(atMost: 40)
        for rule in rules {
            let (_, cache) = try free(images: 2, text: golden.text, seeds: [1, 2], capacities: plan, selector: rule)
            let ledger = cache.ledger
            #expect(ledger.predictedResidentBytes == ledger.allocatedResidentBytes, "\(type(of: rule).name)")
            #expect(ledger.predictedResidentBytes == ledger.peakResidentBytes, "\(type(of: rule).name)")
            #expect(ledger.fullCacheBytes > 2 * ledger.predictedResidentBytes)
            var index = 0
            for _ in 0..<2 {
                for scale in 0..<shape.schedule.scaleCount {
                    for layer in 0..<shape.depth {
                        for head in 0..<shape.heads {
                            #expect(ledger.keptSlots[index] == plan[0, scale, layer, head])
                            index += 1
                        }
                    }
                }
            }
            for layer in 0..<shape.depth {
                for head in 0..<shape.heads {
                    let positions = cache.positions(sequence: 3, layer: layer, head: head)
                    #expect(positions == positions.sorted() && Set(positions).count == positions.count)
                }
            }
        }
    }

    @Test func observingDoesNotChangeWhatAWindowRuleKeeps() throws {
        let plan = capacities(atMost: 30)
        let plain = try free(
            images: 2, text: golden.text, seeds: [1, 2], capacities: plan, selector: ObservationWindowRule())
        let observed = try free(
            images: 2, text: golden.text, seeds: [1, 2], capacities: plan, selector: ObservationWindowRule(),
            observer: ProbabilityRecorder(layer: 0, scales: [1]))
        #expect(plain.output.bits == observed.output.bits)
    }

    @Test func aFullBudgetGivesTheSameBitsUnderEveryRule() throws {
        let full = CellCapacities.full(
            schedule: golden.shape.schedule, layers: golden.shape.depth, heads: golden.shape.heads)
        let reference = try free(images: 2, text: golden.text, seeds: [1, 2]).output
        for rule in [AttentionMassRule(), RandomRule(seed: 1), ObservationWindowRule()] as [any SlotSelector] {
            let output = try free(images: 2, text: golden.text, seeds: [1, 2], capacities: full, selector: rule).output
            #expect(output.bits == reference.bits)
            #expect(output.codes == reference.codes)
        }
    }

    @Test func forcedBitsOfTheWrongShapeAreRefused() throws {
        let cache = try golden.makeCache()
        var hooks = GenerationHooks()
        hooks.forcedBits = Array(golden.bits.dropLast())
        #expect(throws: (any Error).self) {
            try InfinityGenerator(transformer: golden.transformer, cache: cache)
                .generate(text: golden.text, seeds: [1, 2], settings: golden.settings, hooks: hooks)
        }
    }
}
