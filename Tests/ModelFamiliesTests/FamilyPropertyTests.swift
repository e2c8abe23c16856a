import KVCacheRuntime
import ModelFamilies
import ProfileFormat
import TensorKernels
import TestSupport
import Testing
import VernierCore

/// What must hold whatever the weights and the family: independence of batch and threads, equality of a full budget and
/// no profile.
@Suite(.serialized) struct FamilyPropertyTests {
    static let names = ["inf-a", "var-b"]

    /// Runs some of the case's images freely, each with its unconditional sequence.
    private func free(
        _ golden: GoldenCase, images: [Int], seeds: [UInt64], capacities: CellCapacities? = nil,
        selector: any SlotSelector = SlidingWindowRule(), observer: (any AttentionObserver)? = nil,
        settings: SamplingSettings? = nil
    ) throws -> (output: NextScaleGenerator.Output, cache: KVCache) {
        let cache = try golden.makeCache(images: images.count, capacities: capacities, selector: selector)
        var hooks = GenerationHooks()
        hooks.attention = observer
        let conditions = images.map { golden.conditions[$0] } + images.map { golden.conditions[golden.images + $0] }
        let output = try NextScaleGenerator(model: golden.model, cache: cache).generate(
            conditions: conditions, seeds: seeds, settings: settings ?? golden.settings, hooks: hooks)
        return (output, cache)
    }

    private func capacities(_ stack: TransformerStack, atMost most: Int) -> CellCapacities {
        var result = CellCapacities(
            branchCount: 1, scaleCount: stack.schedule.scaleCount, layerCount: stack.depth, headCount: stack.heads)
        for scale in 0..<stack.schedule.scaleCount {
            for layer in 0..<stack.depth {
                for head in 0..<stack.heads {
                    // Uneven on purpose: layers and heads differ, and layer 1 shrinks while others grow.
                    let wanted = layer == 1 ? most - 4 * scale : most + 3 * layer + 5 * head
                    result[0, scale, layer, head] = min(stack.schedule.historyTokens(scale), max(wanted, 1))
                }
            }
        }
        return result
    }

    @Test(arguments: names) func aPictureDoesNotDependOnItsBatchOrOnThreads(_ name: String) throws {
        let golden = try GoldenCase(name)
        for mixes in golden.model.choices.values == 2 ? [false] : [false, true] {
            var settings = golden.settings
            settings.mixesCodes = mixes
            let both = try free(golden, images: [0, 1], seeds: [5, 6], settings: settings).output
            for (image, seed) in [(0, UInt64(5)), (1, 6)] {
                let alone = try free(golden, images: [image], seeds: [seed], settings: settings).output
                for scale in both.choices.indices {
                    expectSame(
                        alone.choices[scale][0], both.choices[scale][image],
                        what: "\(name), scale \(scale), image \(image) alone")
                }
                #expect(alone.codes[0] == both.codes[image])
            }
            let threads = Parallel.threadCount
            defer { Parallel.setThreadCount(threads) }
            Parallel.setThreadCount(1)
            let single = try free(golden, images: [0, 1], seeds: [5, 6], settings: settings).output
            #expect(single.choices == both.choices)
            #expect(single.codes == both.codes)
        }
    }

    @Test(arguments: names) func anotherSeedGivesAnotherPicture(_ name: String) throws {
        let golden = try GoldenCase(name)
        let a = try free(golden, images: [0, 1], seeds: [5, 6]).output
        let b = try free(golden, images: [0, 1], seeds: [5, 7]).output
        #expect(a.choices.map { $0[0] } == b.choices.map { $0[0] })
        #expect(a.choices.map { $0[1] } != b.choices.map { $0[1] })
    }

    /// Every rule: prediction equals measurement, the ledger counts what the plan says, and what is evicted never
    /// returns.
    @Test(arguments: names) func ledgerAndNestedRetainedSetsForEveryRule(_ name: String) throws {
        let golden = try GoldenCase(name)
        let rules: [any SlotSelector] = [
            AttentionMassRule(), AttentionMassRule(valueNorm: true), ObservationWindowRule(), SinkRecentRule(),
            SlidingWindowRule(), RandomRule(seed: 3), H2ORule(), SnapKVRule(), CakeRule(), ScaleKVCompatRule(),
            HackRule(structuralHeads: HeadSet([[true, false, true], [true]])), AttentionMatchingRule(),
            ObservationWindowRule(pooling: .average(reach: 2)),
        ]
        let stack = golden.stack, most = stack.schedule.finalHistoryTokens / 7
        let plan = capacities(stack, atMost: most)
        for rule in rules {
            let (_, cache) = try free(golden, images: [0, 1], seeds: [1, 2], capacities: plan, selector: rule)
            let ledger = cache.ledger
            #expect(ledger.predictedResidentBytes == ledger.allocatedResidentBytes, "\(type(of: rule).name)")
            #expect(ledger.predictedResidentBytes == ledger.peakResidentBytes, "\(type(of: rule).name)")
            #expect(ledger.fullCacheBytes > 2 * ledger.predictedResidentBytes)
            var index = 0
            for _ in 0..<2 {
                for scale in 0..<stack.schedule.scaleCount {
                    for layer in 0..<stack.depth {
                        for head in 0..<stack.heads {
                            #expect(ledger.keptSlots[index] == plan[0, scale, layer, head])
                            index += 1
                        }
                    }
                }
            }
            for layer in 0..<stack.depth {
                for head in 0..<stack.heads {
                    let positions = cache.positions(sequence: 3, layer: layer, head: head)
                    #expect(positions == positions.sorted() && Set(positions).count == positions.count)
                }
            }
        }
    }

    @Test(arguments: names) func observingDoesNotChangeWhatAWindowRuleKeeps(_ name: String) throws {
        let golden = try GoldenCase(name)
        let plan = capacities(golden.stack, atMost: golden.stack.schedule.finalHistoryTokens / 9)
        let plain = try free(
            golden, images: [0, 1], seeds: [1, 2], capacities: plan, selector: ObservationWindowRule())
        let observed = try free(
            golden, images: [0, 1], seeds: [1, 2], capacities: plan, selector: ObservationWindowRule(),
            observer: ProbabilityRecorder(layer: 0, scales: [1]))
        #expect(plain.output.choices == observed.output.choices)
    }

    @Test(arguments: names) func aFullBudgetGivesTheSameChoicesUnderEveryRule(_ name: String) throws {
        let golden = try GoldenCase(name)
        let reference = try free(golden, images: [0, 1], seeds: [1, 2]).output
        for rule in [AttentionMassRule(), RandomRule(seed: 1), ObservationWindowRule()] as [any SlotSelector] {
            let output = try free(
                golden, images: [0, 1], seeds: [1, 2], capacities: golden.stack.fullCapacities, selector: rule
            ).output
            #expect(output.choices == reference.choices)
            #expect(output.codes == reference.codes)
        }
    }

    /// From any layer on, from what entered it in the whole run: the same logits, and nothing runs before it.
    @Test(arguments: names) func aRunTakenUpAtALayerGivesTheSameLogits(_ name: String) throws {
        let golden = try GoldenCase(name), cache = try golden.makeCache()
        var entered = [[FloatBuffer]](repeating: [], count: golden.stack.depth), whole: [[Float]] = []
        var hooks = GenerationHooks()
        hooks.forcedChoices = golden.choices
        hooks.hiddenEntering = { _, layer, values in entered[layer].append(FloatBuffer(Array(values))) }
        hooks.logits = { whole.append(Array($1)) }
        _ = try golden.generate(cache, hooks: hooks)
        for layer in (0..<golden.stack.depth).reversed() {
            var later = GenerationHooks(), ran: Set<Int> = [], logits: [[Float]] = []
            later.forcedChoices = golden.choices
            later.start = LayerStart(layer: layer, hidden: entered[layer])
            later.hiddenEntering = { _, layer, _ in ran.insert(layer) }
            later.logits = { logits.append(Array($1)) }
            _ = try golden.generate(cache, hooks: later)
            #expect(logits == whole, "from layer \(layer)")
            #expect(ran == Set(layer..<golden.stack.depth))
            let scale = golden.stack.schedule.scaleCount - 1
            for other in 0..<golden.stack.depth {
                let kept = cache.positions(sequence: 0, layer: other, head: 0).count
                #expect(kept == (other < layer ? 0 : golden.stack.schedule.historyTokens(scale)))
            }
        }
    }

    @Test(arguments: names) func forcedChoicesThatDoNotFitAreRefused(_ name: String) throws {
        let golden = try GoldenCase(name), cache = try golden.makeCache()
        var short = golden.choices, large = golden.choices, negative = golden.choices
        short.removeLast()
        large[1][0][0] = Int32(golden.model.choices.values)
        negative[1][0][0] = -1
        for forced in [short, large, negative] {
            var hooks = GenerationHooks()
            hooks.forcedChoices = forced
            let error = #expect(throws: VernierError.self) { _ = try golden.generate(cache, hooks: hooks) }
            #expect(error?.code == .mismatch)
        }
    }
}
