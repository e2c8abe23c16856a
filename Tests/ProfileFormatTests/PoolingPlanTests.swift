import Foundation
import TestSupport
import Testing
import VernierCore

@testable import ProfileFormat

struct PoolingPlanTests {
    /// Histories 0 1 5 14 30; 2 branches, 2 layers, 2 heads.
    static let sides = [1, 2, 3, 4, 2]

    /// A plan drawn from a seed: every cell merges at random, and some drop.
    static func plan(seed: UInt64, fitted: Bool, schedule: ScaleSchedule) throws -> PoolingPlan {
        var random = SplitMix64(seed: seed)
        let cells = 4
        var maps: [BoundaryMap] = []
        for _ in 0..<2 {
            var before = [Int](repeating: 0, count: cells)
            for scale in 0..<schedule.scaleCount {
                for cell in 0..<cells {
                    let sources = scale == 0 ? 0 : before[cell] + schedule.tokenCount(scale - 1)
                    var map = BoundaryMap(keeping: sources)
                    if scale >= 2, cell > 0 {
                        map = BoundaryMap(
                            labels: (0..<sources).map { _ in
                                let label = Int(random.next() % 9)
                                return label == 8 ? nil : label
                            })
                        if fitted {
                            map = map.fitted(
                                keyCoefficients: (0..<sources).map { Float($0 % 5) * 0.37 - 0.5 },
                                valueCoefficients: (0..<sources).map { Float($0 % 7) * 0.21 },
                                biasSteps: (0..<map.slotCount).map { Float($0) * 0.125 - 0.25 })
                        }
                    }
                    before[cell] = map.slotCount
                    maps.append(map)
                }
            }
        }
        return try PoolingPlan(schedule: schedule, branchCount: 2, layerCount: 2, headCount: 2, maps: maps)
    }

    static func profile(seed: UInt64, fitted: Bool) throws -> Profile {
        let schedule = try Examples.schedule(sides)
        let plan = try plan(seed: seed, fitted: fitted, schedule: schedule)
        return try Profile(
            model: Examples.model(layers: 2), schedule: schedule, policy: PolicyDescription(name: "rate-distortion"),
            selection: .poolingPlan(), storage: .float32, requestedBudget: .keptShare(1), capacities: plan.capacities,
            plan: plan, provenance: Examples.provenance())
    }

    @Test(arguments: [false, true]) func survivesAFile(fitted: Bool) throws {
        for seed in 0..<20 as Range<UInt64> {
            let profile = try Self.profile(seed: seed, fitted: fitted)
            let text = try profile.canonicalText()
            let read = try Profile(parsing: text, name: "profile")
            #expect(read == profile)
            #expect(try read.canonicalText() == text)
            #expect(profile.requires == [PoolingPlan.requirement])
        }
    }

    @Test func membersCountPositionsAndGroupsAreThem() throws {
        let schedule = try Examples.schedule(Self.sides)
        let plan = try Self.plan(seed: 3, fitted: false, schedule: schedule)
        for scale in 0..<schedule.scaleCount {
            for cell in 0..<8 {
                let (branch, layer, head) = (cell / 4, cell / 2 % 2, cell % 2)
                let groups = plan.groups(branch: branch, scale: scale, layer: layer, head: head, schedule: schedule)
                let members = plan.members(branch: branch, scale: scale, layer: layer, head: head)
                #expect(groups.map(\.count) == (members.isEmpty ? groups.map { _ in 1 } : members.map { Int($0) }))
                let all = groups.flatMap { $0 }
                #expect(Set(all).count == all.count)
                #expect(all.allSatisfy { (0..<schedule.historyTokens(scale)).contains($0) })
            }
        }
    }

    /// Whatever the nesting, a plain slot is the mean of its positions: coefficients multiply out to one over the count.
    @Test func plainCoefficientsAreRunningMeans() throws {
        let schedule = try Examples.schedule(Self.sides)
        let plan = try Self.plan(seed: 5, fitted: false, schedule: schedule)
        for cell in 0..<8 {
            let (branch, layer, head) = (cell / 4, cell / 2 % 2, cell % 2)
            var weights: [[Int: Float]] = []  // per slot: position -> weight
            for scale in 1..<schedule.scaleCount {
                let map = plan.map(branch: branch, scale: scale, layer: layer, head: head)
                let coefficients = plan.coefficients(branch: branch, scale: scale, layer: layer, head: head)
                let first = schedule.historyTokens(scale - 1)
                let sources = weights + (0..<schedule.tokenCount(scale - 1)).map { [first + $0: 1] }
                var next = [[Int: Float]](repeating: [:], count: map.slotCount)
                for (source, positions) in sources.enumerated() {
                    let target = map.isIdentity ? UInt16(source) : map.targets[source]
                    guard target != BoundaryMap.dropped else { continue }
                    let (key, value) = coefficients.pair(source: source)
                    #expect(key == value)
                    for (position, weight) in positions { next[Int(target)][position] = weight * key }
                }
                weights = next
                let biases = plan.biases(branch: branch, scale: scale, layer: layer, head: head)
                for (slot, positions) in weights.enumerated() {
                    #expect(positions.values.allSatisfy { abs($0 * Float(positions.count) - 1) < 1e-5 })
                    #expect(abs(expf(biases[slot]) - Float(positions.count)) < 1e-3)
                }
            }
        }
    }

    @Test func fittedNumbersStayWithinHalfAStep() throws {
        let map = BoundaryMap(labels: [0, 0, 1, 2, 2, 2])
            .fitted(
                keyCoefficients: [0.9, 1.1, 0.3, -0.2, 1, 7.5], biasSteps: [0.01, -0.02, 40])
        #expect(map.keyCodes[2] == 8192)  // alone: what is kept is kept exactly
        #expect(map.keyCodes[0] == 7373 && map.keyCodes[3] == -1638 && map.keyCodes[5] == Int16.max)
        #expect(map.valueCodes.isEmpty)
        let plan = try PoolingPlan(
            schedule: Examples.schedule([2, 1, 1]), branchCount: 1, layerCount: 1, headCount: 1,
            maps: [BoundaryMap(keeping: 0), BoundaryMap(keeping: 4), BoundaryMap(labels: [0, 0, 1, 2, 2])].map {
                $0.fitted(keyCoefficients: (0..<$0.sourceCount).map { 0.25 * Float($0) })
            })
        let pairs = plan.coefficients(branch: 0, scale: 2, layer: 0, head: 0)
        #expect((0..<5).map { pairs.pair(source: $0).key } == [0, 0.25, 1, 0.75, 1])
        #expect((0..<5).map { pairs.pair(source: $0).value } == [0, 0.25, 1, 0.75, 1])
        #expect(map.biasCodes == [10, -20, Int16.max])
    }

    @Test func weightsMakeMeansAndAreCodedInBytes() throws {
        let schedule = try Examples.schedule([2, 2, 1])
        // Twice two sources share a slot, one is alone, one dropped; then slots of 2, 1 and 2 positions and four tokens.
        let first = BoundaryMap(labels: [0, 0, 1, nil]).weighted(by: [3, 1, 7, 2])
        let second = BoundaryMap(labels: [0, 1, 0, 0, 2, 1]).weighted(by: [1, 5, 1e-9, 0.5, 1, 1])
        #expect(first.weightCodes == [0, 25, 0, 0])
        #expect(second.weightCodes == [0, 0, 255, 16, 0, 37])
        let plan = try PoolingPlan(
            schedule: schedule, branchCount: 1, layerCount: 1, headCount: 1,
            maps: [BoundaryMap(keeping: 0), first, second])
        let pairs = plan.coefficients(branch: 0, scale: 2, layer: 0, head: 0)
        let keys = (0..<6).map { pairs.pair(source: $0).key }
        let all = [Float](unsafeUninitializedCapacity: 12) { buffer, count in
            if let base = buffer.baseAddress {
                plan.writeCoefficients(branch: 0, scale: 2, layer: 0, head: 0, keys: base, values: base + 6)
            }
            count = 12
        }
        #expect(all == keys + keys)
        // The first source stands for two positions.
        #expect(abs(keys[0] - 2 / 2.5) < 1e-4 && abs(keys[3] - 0.5 / 2.5) < 1e-4 && keys[2] < 1e-4)
        #expect(keys[4] == 1 && abs(keys[1] - 5.0 / 6) < 5e-3)
        #expect(abs(keys[0] + keys[2] + keys[3] - 1) < 1e-6 && abs(keys[1] + keys[5] - 1) < 1e-6)
        let profile = try Profile(
            model: Examples.model(layers: 1, heads: 1), schedule: schedule,
            policy: PolicyDescription(name: "rate-distortion"), selection: .poolingPlan(), storage: .float32,
            requestedBudget: .keptShare(1), capacities: plan.capacities, plan: plan, provenance: Examples.provenance())
        let text = try profile.canonicalText()
        #expect(try Profile(parsing: text, name: "profile") == profile)
        #expect(text.contains("\"weights\": \"\(Base64.encode([0, 25, 0, 0, 255, 16, 37]))\""))
        for bytes in [[], [0, 25, 0, 0, 255, 16], [0, 25, 0, 0, 255, 16, 37, 0]] as [[UInt8]] {
            let changed = text.replacing(Base64.encode([0, 25, 0, 0, 255, 16, 37]), with: Base64.encode(bytes))
            #expect(throws: VernierError.self) { try Profile(parsing: changed, name: "changed") }
        }
        let both = text.replacing(
            "\"weights\":", with: "\"keys\": \"\(Base64.encode([UInt8](repeating: 0, count: 14)))\", \"weights\":")
        #expect(throws: VernierError.self) { try Profile(parsing: both, name: "changed") }
    }

    @Test func refusesMapsThatDoNotFit() throws {
        let schedule = try Examples.schedule([1, 2, 3])
        func plan(_ maps: [BoundaryMap]) throws -> PoolingPlan {
            try PoolingPlan(schedule: schedule, branchCount: 1, layerCount: 1, headCount: 1, maps: maps)
        }
        let good = [BoundaryMap(keeping: 0), BoundaryMap(keeping: 1), BoundaryMap(labels: [0, 0, 1, nil, 1])]
        #expect(try plan(good).capacities[0, 2, 0, 0] == 2)
        for bad in [
            [good[0], good[1]], [good[0], good[1], BoundaryMap(keeping: 4)],
            [good[0], good[1], BoundaryMap(targets: [1, 0, 0, 0, 0], slotCount: 2)],
            [good[0], good[1], BoundaryMap(targets: [0, 0, 0, 0, 0], slotCount: 2)],
            [good[0], good[1], BoundaryMap(targets: [0, 1, 2, 0, 0], slotCount: 2)],
            [good[0], good[1], BoundaryMap(targets: [0, 1, 1, 0, 0], slotCount: 2, keyCodes: [1])],
        ] {
            #expect(throws: VernierError.self) { try plan(bad) }
        }
    }

    /// Every byte of the packed parts matters or is refused; nothing crashes.
    @Test func survivesChangedPlans() throws {
        let profile = try Self.profile(seed: 1, fitted: true)
        guard case .object(let root) = profile.jsonValue, case .object(let plan)? = root["plan"] else {
            Issue.record("a profile with a plan is an object with an object")
            return
        }
        var refused = 0
        for key in ["maps", "keys", "values", "biases"] {
            guard case .string(let text)? = plan[key], let bytes = Base64.decode(text) else {
                Issue.record("the plan has \(key)")
                continue
            }
            func attempt(_ bytes: [UInt8]) throws {
                var plan = plan, root = root
                plan[key] = .string(Base64.encode(bytes))
                root["plan"] = .object(plan)
                do {
                    let read = try Profile(parsing: JSONValue.object(root).canonicalText(), name: "changed")
                    #expect(read != profile)
                } catch let error as VernierError {
                    #expect([.malformedFile, .unsupportedVersion].contains(error.code))
                    refused += 1
                }
            }
            for index in bytes.indices {
                for bit in [0, 3, 7] {
                    var changed = bytes
                    changed[index] ^= 1 << UInt8(bit)
                    try attempt(changed)
                }
            }
            try attempt(Array(bytes.dropLast()))
            try attempt(bytes + [0])
            try attempt([])
        }
        #expect(refused > 50)
    }

    @Test func aPlanAndARuleBelongTogether() throws {
        let profile = try Self.profile(seed: 2, fitted: false)
        for (old, new) in [
            ("\"name\": \"pooling-plan\"", "\"name\": \"sliding-window\""),
            ("[\n    \"boundary-maps\"\n  ]", "[]"), ("[\"boundary-maps\"]", "[]"),
        ] {
            let text = try profile.canonicalText()
            let changed = text.replacing(old, with: new)
            guard changed != text else { continue }
            #expect(throws: VernierError.self) { try Profile(parsing: changed, name: "changed") }
        }
    }
}
