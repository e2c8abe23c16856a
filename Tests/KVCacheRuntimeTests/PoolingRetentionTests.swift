import KVCacheRuntime
import ProfileFormat
import TensorKernels
import TestSupport
import Testing
import VernierCore

#if canImport(Glibc)
import Glibc
#elseif canImport(Darwin)
import Darwin
#endif

/// What a cache under a pooling plan holds and computes.
@Suite(.serialized) struct PoolingRetentionTests {
    /// A plan from the labels that `label` gives to the sources of each cell: (scale about to begin, layer, head,
    /// lowest position of the source, source index, old slots).
    private func plan(
        _ drive: CacheDrive, branches: Int = 1,
        _ label: (_ scale: Int, _ layer: Int, _ head: Int, _ source: Int, _ history: Int) -> Int?,
        fit: (BoundaryMap) -> BoundaryMap = { $0 }
    ) throws -> PoolingPlan {
        let schedule = drive.schedule, layers = drive.geometry.layers, heads = drive.geometry.heads
        var maps: [BoundaryMap] = []
        for _ in 0..<branches {
            for scale in 0..<schedule.scaleCount {
                for layer in 0..<layers {
                    for head in 0..<heads {
                        guard scale > 0 else {
                            maps.append(BoundaryMap(keeping: 0))
                            continue
                        }
                        let history = maps[maps.count - layers * heads].slotCount
                        let labels = (0..<(history + schedule.tokenCount(scale - 1))).map {
                            label(scale, layer, head, $0, history)
                        }
                        maps.append(fit(BoundaryMap(labels: labels)))
                    }
                }
            }
        }
        return try PoolingPlan(
            schedule: schedule, branchCount: branches, layerCount: layers, headCount: heads, maps: maps)
    }

    /// Random groups, some sources dropped.
    private func randomPlan(
        _ drive: CacheDrive, seed: UInt64, branches: Int = 1, fit: (BoundaryMap) -> BoundaryMap = { $0 }
    ) throws -> PoolingPlan {
        var random = SplitMix64(seed: seed)
        return try plan(
            drive, branches: branches,
            { scale, layer, head, source, history in
                let label = random.integer(in: 0..<(3 * scale + layer + 2 * head + 2))
                return label == 0 ? nil : label
            }, fit: fit)
    }

    @Test func aPlanWithoutMergesIsTheFullCache() throws {
        let drive = try CacheDrive(sides: [1, 2, 3, 4, 5])
        let full = try KVCache(
            geometry: drive.geometry, capacities: drive.fullCapacities, selector: SlidingWindowRule())
        let pooled = try KVCache(geometry: drive.geometry, plan: plan(drive) { _, _, _, source, _ in source })
        #expect(drive.run(pooled) == drive.run(full))
        #expect(pooled.ledger.peakResidentBytes == full.ledger.fullCacheBytes)
    }

    @Test func aPlanThatOnlyDropsIsEviction() throws {
        let drive = try CacheDrive(sides: [1, 2, 3, 4, 5])
        // The newest 6 + head positions.
        let dropping = try plan(drive) { scale, _, head, source, history in
            source < history + drive.schedule.tokenCount(scale - 1) - 6 - head ? nil : source
        }
        let pooled = try KVCache(geometry: drive.geometry, plan: dropping)
        let evicting = try KVCache(
            geometry: drive.geometry, capacities: dropping.capacities, selector: SlidingWindowRule())
        #expect(drive.run(pooled) == drive.run(evicting))
        #expect(pooled.ledger.peakResidentBytes == evicting.ledger.peakResidentBytes)
        for head in 0..<2 {
            #expect(
                pooled.positions(sequence: 0, layer: 1, head: head)
                    == evicting.positions(sequence: 0, layer: 1, head: head))
        }
    }

    @Test func oneGroupAttendsToTheMean() throws {
        let drive = try CacheDrive(sides: [1, 2, 3], layers: 1, heads: 1, headWidth: 4, branches: 1)
        let cache = try KVCache(geometry: drive.geometry, plan: plan(drive) { _, _, _, _, _ in 0 })
        let outputs = drive.run(cache)
        // By hand, in Float64: one slot, the means of the five keys and values, bias log 5, beside nine current keys.
        let rows = (0..<5).map { drive.row(position: $0, layer: 0, sequence: 0, head: 0) }
        func mean(_ rows: [[Float]]) -> [Double] {
            (0..<4).map { channel in rows.reduce(0.0) { $0 + Double($1[channel]) } / Double(rows.count) }
        }
        let current = drive.maps[2][0]
        func row(_ all: [Float], _ index: Int) -> [Double] { all[(index * 4)..<(index * 4 + 4)].map(Double.init) }
        let keys = [mean(rows.map(\.key))] + (0..<9).map { row(current.keys, $0) }
        let values = [mean(rows.map(\.value))] + (0..<9).map { row(current.values, $0) }
        var expected: [Float] = []
        for query in 0..<9 {
            let weights = keys.enumerated().map { index, key in
                exp(zip(row(current.queries, query), key).reduce(0) { $0 + $1.0 * $1.1 } + (index == 0 ? log(5) : 0))
            }
            let total = weights.reduce(0, +)
            for channel in 0..<4 {
                expected.append(Float(zip(weights, values).reduce(0) { $0 + $1.0 * $1.1[channel] } / total))
            }
        }
        // float32 softmax over ten keys, logits below 10.
        expectClose(outputs[2][0], expected, tolerance: 5e-6, what: "attention over one slot")
        #expect(cache.positions(sequence: 0, layer: 0, head: 0) == [0])
        #expect(cache.ledger.peakResidentBytes == 32 && cache.plan.residentBytes() == 32)
    }

    @Test func slotsAreMeansOfTheirGroups() throws {
        let drive = try CacheDrive(sides: [1, 2, 3, 4, 5])
        let plan = try randomPlan(drive, seed: 5, branches: 2)
        let cache = try KVCache(geometry: drive.geometry, plan: plan)
        var merged = 0
        drive.run(cache) { scale, layer in
            guard scale < drive.schedule.scaleCount - 1 else { return }
            for sequence in 0..<2 {
                for head in 0..<2 {
                    let groups = plan.groups(
                        branch: sequence, scale: scale + 1, layer: layer, head: head, schedule: drive.schedule)
                    let held = cache.contents(sequence: sequence, layer: layer, head: head)
                    #expect(
                        cache.positions(sequence: sequence, layer: layer, head: head)
                            == groups.map { Int32($0.min() ?? -1) })
                    for (slot, group) in groups.enumerated() {
                        merged += group.count > 1 ? 1 : 0
                        let rows = group.map { drive.row(position: $0, layer: layer, sequence: sequence, head: head) }
                        for (name, part, all) in [
                            ("key", held.keys, rows.map(\.key)), ("value", held.values, rows.map(\.value)),
                        ] {
                            let mean = (0..<8).map { channel in
                                Float(all.reduce(0.0) { $0 + Double($1[channel]) } / Double(all.count))
                            }
                            // Running means of numbers below 1.5 over four boundaries.
                            expectClose(
                                Array(part[(slot * 8)..<(slot * 8 + 8)]), mean, tolerance: 2e-6,
                                what: "\(name) of slot \(slot), scale \(scale), layer \(layer), head \(head)")
                        }
                    }
                }
            }
        }
        #expect(merged > 20)
        let ledger = cache.ledger
        #expect(ledger.predictedResidentBytes == ledger.allocatedResidentBytes)
        #expect(ledger.predictedResidentBytes == ledger.peakResidentBytes)
    }

    @Test func fittedNumbersAreUsed() throws {
        let drive = try CacheDrive(sides: [1, 2, 3], layers: 1, heads: 1, headWidth: 4, branches: 1)
        let plan = try plan(
            drive, { _, _, _, source, _ in source % 2 },
            fit: { map in
                map.fitted(
                    keyCoefficients: (0..<map.sourceCount).map { 0.75 + 0.25 * Float($0 % 3) },
                    valueCoefficients: (0..<map.sourceCount).map { 1.5 - 0.5 * Float($0 % 4) },
                    biasSteps: (0..<map.slotCount).map { Float($0) - 0.5 })
            })
        let cache = try KVCache(geometry: drive.geometry, plan: plan)
        let outputs = drive.run(cache, upTo: 2)
        #expect(!outputs.isEmpty)
        // Scale 0: one token, one slot. Boundary 2: that slot and four tokens into two slots, 3 and 2 members.
        let coefficients = plan.coefficients(branch: 0, scale: 2, layer: 0, head: 0)
        let keys = (0..<5).map { coefficients.pair(source: $0).key }
        let values = (0..<5).map { coefficients.pair(source: $0).value }
        #expect(keys == [0.75, 1, 1.25, 0.75, 1] && values == [1.5, 1, 0.5, 0, 1.5])
        let rows = (0..<5).map { drive.row(position: $0, layer: 0, sequence: 0, head: 0) }
        var sums = (keys: [Float](repeating: 0, count: 8), values: [Float](repeating: 0, count: 8))
        for source in 0..<5 {
            for channel in 0..<4 {
                sums.keys[source % 2 * 4 + channel] += keys[source] * rows[source].key[channel]
                sums.values[source % 2 * 4 + channel] += values[source] * rows[source].value[channel]
            }
        }
        let held = cache.contents(sequence: 0, layer: 0, head: 0)
        #expect(held.keys == sums.keys && held.values == sums.values)
    }

    @Test func coefficientsAllAtOnceAreThoseOneByOne() throws {
        let drive = try CacheDrive(sides: [1, 2, 3, 4])
        let fits: [(BoundaryMap) -> BoundaryMap] = [
            { $0 }, { map in map.fitted(keyCoefficients: (0..<map.sourceCount).map { 0.1 * Float($0) - 0.3 }) },
            { map in map.fitted(valueCoefficients: (0..<map.sourceCount).map { 0.2 * Float($0) - 0.3 }) },
        ]
        for fit in fits {
            let plan = try randomPlan(drive, seed: 3, fit: fit)
            for scale in 1..<4 {
                let map = plan.map(branch: 0, scale: scale, layer: 1, head: 1)
                guard !map.isIdentity else { continue }
                let one = plan.coefficients(branch: 0, scale: scale, layer: 1, head: 1)
                let keys = FloatBuffer(count: map.sourceCount), values = FloatBuffer(count: map.sourceCount)
                plan.writeCoefficients(
                    branch: 0, scale: scale, layer: 1, head: 1, keys: keys.pointer, values: values.pointer)
                let biases = FloatBuffer(count: map.slotCount)
                plan.writeBiases(branch: 0, scale: scale, layer: 1, head: 1, to: biases.pointer)
                #expect(biases.array == plan.biases(branch: 0, scale: scale, layer: 1, head: 1))
                for source in 0..<map.sourceCount {
                    guard map.targets[source] != BoundaryMap.dropped else { continue }
                    #expect(one.pair(source: source) == (keys.pointer[source], values.pointer[source]))
                }
            }
        }
    }

    @Test func picturesDoNotDependOnBatchOrThreads() throws {
        let both = try CacheDrive(sides: [1, 2, 3, 4], images: [3, 7])
        let plan = try randomPlan(both, seed: 9)
        let together = both.run(try KVCache(geometry: both.geometry, plan: plan))
        for (place, image) in [3, 7].enumerated() {
            let alone = try CacheDrive(sides: [1, 2, 3, 4], images: [image])
            let outputs = alone.run(try KVCache(geometry: alone.geometry, plan: plan))
            for scale in outputs.indices {
                for layer in outputs[scale].indices {
                    let each = outputs[scale][layer].count / 2
                    for branch in 0..<2 {
                        let start = (branch * 2 + place) * each
                        expectSame(
                            Array(outputs[scale][layer][(branch * each)..<((branch + 1) * each)]),
                            Array(together[scale][layer][start..<(start + each)]), what: "scale \(scale)")
                    }
                }
            }
        }
        let threads = Parallel.threadCount
        defer { Parallel.setThreadCount(threads) }
        Parallel.setThreadCount(1)
        #expect(both.run(try KVCache(geometry: both.geometry, plan: plan)) == together)
    }

    @Test func aPlanOfAnotherScheduleIsRefused() throws {
        let drive = try CacheDrive(sides: [1, 2, 3]), other = try CacheDrive(sides: [1, 3, 3])
        let plan = try plan(other) { _, _, _, _, _ in 0 }
        let error = try #require(throws: VernierError.self) { try KVCache(geometry: drive.geometry, plan: plan) }
        #expect(error.code == .mismatch && error.description.contains("expected a boundary map of 5 sources, found 10"))
        let capacities = try #require(throws: VernierError.self) {
            try KVCache(
                geometry: other.geometry, capacities: other.fullCapacities, retention: .plan(plan))
        }
        #expect(capacities.description.contains("the plan's own slot counts"))
        let layers = try CacheDrive(sides: [1, 3, 3], layers: 3)
        #expect(throws: VernierError.self) { try KVCache(geometry: layers.geometry, plan: plan) }
    }
}
