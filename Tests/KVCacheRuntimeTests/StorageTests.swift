import ProfileFormat
import TensorKernels
import TestSupport
import Testing
import VernierCore

@testable import KVCacheRuntime

/// Caches whose slots are stored in narrow formats, alike or mixed.
@Suite struct StorageTests {
    static let all: [CellStorage] = [.float32, .bfloat16, .int8, .int4]

    /// A table in which no two neighbours are alike.
    private func mixed(_ drive: CacheDrive, branches: Int) throws -> CellStorage {
        let formats = try StorageFormat.knownNames.map { try #require(StorageFormat(name: $0)) }
        let cells = branches * drive.geometry.layers * drive.geometry.heads
        return CellStorage(
            branchCount: branches, layerCount: drive.geometry.layers, headCount: drive.geometry.heads,
            formats: (0..<cells).map { formats[($0 * 3 + $0 / 2) % 4] })
    }

    @Test func profileAndRuntimeCountTheSameBytes() throws {
        for name in StorageFormat.knownNames {
            let format = try #require(StorageFormat(name: name))
            for width in [1, 5, 8, 31, 32, 33, 64, 80, 128] {
                #expect(
                    format.bytesPerRow(headWidth: width) == format.rowFormat.byteCount(width: width),
                    "\(name), width \(width)")
            }
        }
    }

    @Test func ledgersAreExactForMixedTables() throws {
        for branches in [1, 2] {
            let drive = try CacheDrive(sides: [1, 2, 3, 4, 5], layers: 3, heads: 3, headWidth: 12, images: [0, 1])
            let storage = try mixed(drive, branches: branches), capacities = drive.capacities(atMost: 9)
            let cache = try KVCache(
                geometry: drive.geometry, capacities: capacities, selector: SinkRecentRule(), storage: storage)
            var most = 0
            drive.run(cache) { scale, layer in
                // Cell by cell, from what the cache says it holds.
                var held = 0
                for sequence in 0..<4 {
                    for layer in 0..<3 {
                        for head in 0..<3 {
                            let slots = cache.positions(sequence: sequence, layer: layer, head: head).count
                            held += slots * storage[sequence / 2, layer, head].bytesPerSlot(headWidth: 12)
                        }
                    }
                }
                if scale < 4 { #expect(held == 2 * cache.plan.bytes(scale: scale, layer: layer)) }
                most = max(most, held)
            }
            let ledger = cache.ledger
            #expect(ledger.peakResidentBytes == most)
            #expect(ledger.predictedResidentBytes == most && ledger.allocatedResidentBytes == most)
        }
    }

    @Test func narrowCachesStayCloseToTheFullOne() throws {
        let drive = try CacheDrive(sides: [1, 2, 3, 4], headWidth: 32)
        let reference = drive.run(
            try KVCache(geometry: drive.geometry, capacities: drive.fullCapacities, selector: SlidingWindowRule()))
        // Keys and values below 1.5, queries too: logits move by |q| |dk|, outputs by that and |dv|. Observed below half.
        for (storage, tolerance) in zip(Self.all, [0, 0.05, 0.12, 1.2] as [Float]) {
            let outputs = drive.run(
                try KVCache(
                    geometry: drive.geometry, capacities: drive.fullCapacities, selector: SlidingWindowRule(),
                    storage: storage))
            for scale in outputs.indices {
                for layer in outputs[scale].indices {
                    expectClose(
                        outputs[scale][layer], reference[scale][layer], tolerance: tolerance,
                        what: "\(storage), scale \(scale)")
                }
            }
        }
    }

    @Test func keptSlotsAreNeverQuantisedAgain() throws {
        let drive = try CacheDrive(sides: [1, 2, 3, 4, 5], headWidth: 40)
        for storage in Self.all + [try mixed(drive, branches: 1)] {
            let cache = try KVCache(
                geometry: drive.geometry, capacities: drive.capacities(atMost: 12), selector: RandomRule(seed: 2),
                storage: storage)
            var seen: [[Int]: [Float]] = [:]  // cell and position -> key and value when first stored
            drive.run(cache) { scale, layer in
                guard scale < 4 else { return }
                for sequence in 0..<2 {
                    for head in 0..<2 {
                        let held = cache.contents(sequence: sequence, layer: layer, head: head)
                        let positions = cache.positions(sequence: sequence, layer: layer, head: head)
                        for (slot, position) in positions.enumerated() {
                            let range = slot * 40..<(slot + 1) * 40
                            let now = Array(held.keys[range] + held.values[range])
                            let place = [sequence, layer, head, Int(position)]
                            if let before = seen[place] { #expect(before == now, "\(storage), \(place)") }
                            seen[place] = now
                        }
                    }
                }
            }
        }
    }

    @Test func aPlanWithoutMergesIsTheFullCacheInEveryFormat() throws {
        let drive = try CacheDrive(sides: [1, 2, 3, 4])
        // Not the identity: the source with the highest index is dropped, so every slot goes the lone-source way.
        var maps: [BoundaryMap] = []
        for scale in 0..<4 {
            for _ in 0..<4 {
                let history = scale == 0 ? 0 : maps[maps.count - 4].slotCount
                let sources = scale == 0 ? 0 : history + drive.schedule.tokenCount(scale - 1)
                maps.append(BoundaryMap(labels: (0..<sources).map { $0 < sources - 1 ? $0 : nil }))
            }
        }
        let plan = try PoolingPlan(schedule: drive.schedule, branchCount: 1, layerCount: 2, headCount: 2, maps: maps)
        struct DropsLast: SlotSelector {
            static let name = "drops-last"
            func select(_ candidates: SlotCandidates, into kept: UnsafeMutableBufferPointer<Int32>) {
                for place in kept.indices { kept[place] = Int32(place) }
            }
        }
        for storage in Self.all + [try mixed(drive, branches: 2)] {
            let pooled = drive.run(try KVCache(geometry: drive.geometry, plan: plan, storage: storage))
            let kept = drive.run(
                try KVCache(
                    geometry: drive.geometry, capacities: plan.capacities, selector: DropsLast(), storage: storage))
            #expect(pooled == kept, "\(storage)")
        }
    }

    @Test func aTableOfAnotherModelIsRefused() throws {
        let drive = try CacheDrive()
        let other = CellStorage(
            branchCount: 3, layerCount: 1, headCount: 2, formats: [.int8, .int4, .int8, .int8, .int8, .int8])
        let error = try #require(throws: VernierError.self) {
            try KVCache(
                geometry: drive.geometry, capacities: drive.fullCapacities, selector: SlidingWindowRule(),
                storage: other)
        }
        #expect(error.code == .mismatch)
        #expect(
            error.problems == [
                "expected storage for 1 or 2 branches, found 3", "expected storage for 2 layers, found 1",
            ])
    }
}
