import ProfileFormat
import Synchronization
import TestSupport
import Testing

@testable import KVCacheRuntime

/// What a cache shows to a selection rule, and what a rule may change.
@Suite struct RuleHookTests {
    /// Everything a rule saw of one cell at one boundary, copied.
    struct Sighting: Sendable {
        let scale: Int, branch: Int, layer: Int, head: Int, historyCount: Int
        let positions: [Int32]
        let mass: [Double]
        let queries: [Float], keys: [[Float]], values: [[Float]], biases: [Float]
    }

    /// Keeps the newest, and writes down what it saw.
    final class Probe: SlotSelector, Sendable {
        static let name = "probe"
        let accumulatesMass: Bool
        let sightings = Mutex<[Sighting]>([])
        var needsKeys: Bool { true }
        var needsValues: Bool { true }

        init(accumulatesMass: Bool) { self.accumulatesMass = accumulatesMass }

        func rowWeights(for grid: ScaleSchedule.Grid) -> [Float]? { [] }

        func takeSightings() -> [Sighting] {
            sightings.withLock { sightings in
                defer { sightings = [] }
                return sightings
            }
        }

        func select(_ candidates: SlotCandidates, into kept: UnsafeMutableBufferPointer<Int32>) {
            SlidingWindowRule().select(candidates, into: kept)
            func rows(_ rows: CandidateRows?) -> [[Float]] {
                (0..<candidates.count).map { index in
                    rows.map { Array(UnsafeBufferPointer(start: $0[index], count: candidates.headWidth)) } ?? []
                }
            }
            let sighting = Sighting(
                scale: candidates.scale, branch: candidates.branch, layer: candidates.layer, head: candidates.head,
                historyCount: candidates.historyCount, positions: Array(candidates.positions),
                mass: Array(UnsafeBufferPointer(start: candidates.mass, count: candidates.count)),
                queries: Array(
                    UnsafeBufferPointer(
                        start: candidates.queries, count: candidates.tokenCount * candidates.headWidth)),
                keys: rows(candidates.keys), values: rows(candidates.values),
                biases: Array(UnsafeBufferPointer(start: candidates.biases, count: candidates.historyCount)))
            sightings.withLock { $0.append(sighting) }
        }
    }

    /// Sums what an observer sees of each history position, cell by cell, over the scales.
    final class MassKeeper: AttentionObserver {
        let topCounts: [Int32] = []
        var byPosition: [[Int]: [Int32: Double]] = [:]  // [sequence, layer, head] -> position -> mass
        var lastOnly: [[Int]: [Int32: Double]] = [:]
        let cache: KVCache
        init(_ cache: KVCache) { self.cache = cache }

        func observe(_ record: AttentionRecord) {
            let cell = [record.sequence, record.layer, record.head]
            let held = cache.positions(sequence: record.sequence, layer: record.layer, head: record.head)
            let first = Int32(cache.geometry.schedule.historyTokens(record.scale))
            let positions = held + (0..<Int32(record.queryCount)).map { first + $0 }
            lastOnly[cell] = [:]
            for (index, position) in positions.enumerated() {
                byPosition[cell, default: [:]][position, default: 0] += record.columnMass[index]
                lastOnly[cell]?[position] = record.columnMass[index]
            }
        }
    }

    @Test(arguments: [false, true]) func aRuleSeesTheCell(accumulating: Bool) throws {
        let drive = try CacheDrive()
        let probe = Probe(accumulatesMass: accumulating)
        let cache = try KVCache(
            geometry: drive.geometry, capacities: drive.capacities(atMost: 4), selector: probe)
        let keeper = MassKeeper(cache)
        var checked = 0
        drive.run(cache, observer: keeper) { scale, layer in
            for sighting in probe.takeSightings() {
                checked += 1
                let place = "\(sighting.scale) \(sighting.branch) \(sighting.layer) \(sighting.head)"
                #expect(sighting.scale == scale && sighting.layer == layer)
                let cell = [sighting.branch, layer, sighting.head]
                for (index, position) in sighting.positions.enumerated() {
                    let row = drive.row(
                        position: Int(position), layer: layer, sequence: sighting.branch, head: sighting.head)
                    #expect(sighting.keys[index] == row.key, "key \(index) of \(place)")
                    #expect(sighting.values[index] == row.value, "value \(index) of \(place)")
                    let masses = accumulating ? keeper.byPosition : keeper.lastOnly
                    // Carried as Float: 2^-24 of a mass of at most all queries so far.
                    #expect(abs(sighting.mass[index] - (masses[cell]?[position] ?? -1)) < 1e-5, "mass of \(place)")
                }
                #expect(
                    sighting.queries
                        == drive.rows(
                            drive.maps[scale][layer].queries, scale: scale, sequence: sighting.branch,
                            head: sighting.head))
                #expect(sighting.biases.allSatisfy { $0 == 0 })
            }
        }
        #expect(checked > 10)
        #expect(
            cache.ledger.bookkeepingBytes == cache.plan.residentSlots * (accumulating ? 12 : 8),
            "an accumulated mass is 4 bytes a slot")
    }

    /// Halves every value and adds to every bias.
    struct Reviser: SlotSelector {
        static let name = "reviser"
        var revisesSlots: Bool { true }
        func select(_ candidates: SlotCandidates, into kept: UnsafeMutableBufferPointer<Int32>) {
            SlidingWindowRule().select(candidates, into: kept)
        }
        func revise(
            _ candidates: SlotCandidates, kept: UnsafeBufferPointer<Int32>, keys: UnsafeMutablePointer<Float>,
            values: UnsafeMutablePointer<Float>, biases: UnsafeMutablePointer<Float>
        ) {
            for place in kept.indices {
                biases[place] += 0.5
                for channel in 0..<candidates.headWidth {
                    let index = place * candidates.headWidth + channel
                    values[index] *= 0.5
                    keys[index] *= -1
                }
            }
        }
    }

    @Test func aRuleRevisesWhatIsStored() throws {
        let drive = try CacheDrive(sides: [1, 2, 3], layers: 1)
        let capacities = drive.capacities(atMost: 3)
        let plain = try KVCache(geometry: drive.geometry, capacities: capacities, selector: SlidingWindowRule())
        let revised = try KVCache(geometry: drive.geometry, capacities: capacities, selector: Reviser())
        let plainOutputs = drive.run(plain), outputs = drive.run(revised)
        #expect(outputs[1] == plainOutputs[1] && outputs[2] != plainOutputs[2])
        for sequence in 0..<2 {
            for head in 0..<2 {
                let a = plain.contents(sequence: sequence, layer: 0, head: head)
                let b = revised.contents(sequence: sequence, layer: 0, head: head)
                #expect(b.keys == a.keys.map { -$0 } && b.values == a.values.map { $0 / 2 })
                #expect(
                    revised.positions(sequence: sequence, layer: 0, head: head)
                        == plain.positions(sequence: sequence, layer: 0, head: head))
            }
        }
    }
}
