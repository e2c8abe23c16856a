import TestSupport
import Testing

@testable import ProfileCompiler

struct AgglomerationTests {
    /// Random sources, some alike.
    static func descriptors(_ count: Int, signs: Int, seed: UInt64) -> SourceDescriptors {
        var random = SplitMix64(seed: seed)
        func rows(_ size: Float) -> [Float] { random.floats(count * signs, in: -size...size) }
        return SourceDescriptors(
            members: (0..<count).map { _ in Float(random.integer(in: 1..<4)) },
            mass: random.floats(count, in: 0.01...0.2), attention: rows(0.1), values: rows(1), keys: rows(0.7),
            weight: 1.5)
    }

    /// One source of the slow reference: vectors themselves instead of tables of their products.
    private struct Item {
        var name: Int
        var members: Double
        var mass: Double
        var attention: [Double]
        var value: [Double]
        var key: [Double]
    }

    private static func squared(_ x: [Double]) -> Double { x.reduce(0) { $0 + $1 * $1 } }

    /// The cost of pooling two sources, as `method.md` section 4 has it, from the vectors.
    private static func cost(_ a: Item, _ b: Item, meanValue: Double, keyWeight: Double, weight: Double) -> Double {
        let n = a.members, m = b.members
        let spread = squared(zip(a.attention, b.attention).map { m * $0 - n * $1 }) / ((n + m) * (n + m))
        let distance = squared(zip(a.value, b.value).map { $0 - $1 })
        let both = squared(zip(a.attention, b.attention).map { $0 + $1 })
        let share = a.mass * b.mass / ((a.mass + b.mass) * (a.mass + b.mass))
        let e = squared(zip(a.key, b.key).map { $0 - $1 })
        return weight * (spread * distance + keyWeight * both * share * share * min(e, e * e) * meanValue)
    }

    /// Pools pair by pair, looking at all pairs each time.
    private static func slowSequence(_ d: SourceDescriptors, keyWeight: Double) -> [(Int, Int, Double)] {
        let signs = d.attention.count / d.count
        func row(_ x: [Float], _ i: Int) -> [Double] { x[(i * signs)..<((i + 1) * signs)].map { Double($0) } }
        var items = (0..<d.count).map {
            Item(
                name: $0, members: Double(d.members[$0]), mass: Double(d.mass[$0]), attention: row(d.attention, $0),
                value: row(d.values, $0), key: row(d.keys, $0))
        }
        let meanValue = items.reduce(0) { $0 + squared($1.value) } / Double(items.count)
        var steps: [(Int, Int, Double)] = []
        while items.count > 1 {
            var best = (0, 0, Double.infinity)
            for i in items.indices {
                for j in items.indices where j > i {
                    let c = cost(
                        items[i], items[j], meanValue: meanValue, keyWeight: keyWeight, weight: Double(d.weight))
                    if c < best.2 { best = (i, j, c) }
                }
            }
            let (a, b) = (items[best.0], items[best.1])
            let p = a.members / (a.members + b.members)
            items[best.0] = Item(
                name: a.name, members: a.members + b.members, mass: a.mass + b.mass,
                attention: zip(a.attention, b.attention).map { $0 + $1 },
                value: zip(a.value, b.value).map { p * $0 + (1 - p) * $1 },
                key: zip(a.key, b.key).map { p * $0 + (1 - p) * $1 })
            items.remove(at: best.1)
            steps.append((a.name, b.name, best.2))
        }
        return steps
    }

    /// 100 sources are compacted on the way; tables and updates must agree with the vectors.
    @Test(arguments: [(2, 1), (17, 2), (100, 3), (140, 4)])
    func agreesWithTheDefinition(count: Int, seed: UInt64) {
        let descriptors = Self.descriptors(count, signs: 6, seed: seed)
        let slow = Self.slowSequence(descriptors, keyWeight: 0.25)
        let fast = Agglomeration.sequence(descriptors, cost: MergeCost(keyWeight: 0.25, drops: false))
        #expect(fast.steps.map { Int($0.first) } == slow.map(\.0))
        #expect(fast.steps.map { $0.second.map(Int.init) } == slow.map(\.1))
        var most = 0.0
        for (step, reference) in zip(fast.steps, slow) {
            most = max(most, reference.2)
            #expect(abs(Double(step.cost) - most) <= 1e-4 * most + 1e-9)
        }
    }

    @Test func whatIsAttendedInProportionWithEqualKeysMergesForNothing() {
        var d = Self.descriptors(12, signs: 5, seed: 9)
        for r in 0..<5 {
            d.attention[7 * 5 + r] = 2 * d.attention[3 * 5 + r]
            d.keys[7 * 5 + r] = d.keys[3 * 5 + r]
        }
        (d.members[3], d.members[7]) = (1, 2)
        let first = Agglomeration.sequence(d, cost: MergeCost(drops: false)).steps[0]
        #expect(first.first == 3 && first.second == 7 && first.cost < 1e-6)
    }

    @Test func labelsAreThePrefixOfTheSteps() {
        let d = Self.descriptors(30, signs: 4, seed: 5)
        for drops in [false, true] {
            let sequence = Agglomeration.sequence(d, cost: MergeCost(drops: drops))
            #expect(sequence.steps.count == (drops ? 30 : 29))
            for count in sequence.steps.indices {
                let labels = sequence.labels(after: count)
                #expect(Set(labels.compactMap { $0 }).count == 30 - count)
            }
            #expect(zip(sequence.steps, sequence.steps.dropFirst()).allSatisfy { $0.cost <= $1.cost })
        }
    }

    /// A source that nothing attends costs nothing to drop and goes first.
    @Test func droppingIsTakenWhereItIsCheaper() {
        var d = Self.descriptors(10, signs: 4, seed: 6)
        for r in 0..<4 { d.attention[8 * 4 + r] = 0 }
        for pools in [true, false] {
            let first = Agglomeration.sequence(d, cost: MergeCost(pools: pools, drops: true)).steps[0]
            #expect(first.first == 8 && first.second == nil && first.cost == 0)
        }
    }

    @Test func equalCostsGoToTheLowestIndex() {
        let d = SourceDescriptors(
            members: [1, 1, 1, 1], mass: [0.1, 0.1, 0.1, 0.1], attention: [1, 1, 1, 1], values: [1, 1, 1, 1],
            keys: [1, 1, 1, 1])
        let steps = Agglomeration.sequence(d, cost: MergeCost(drops: false)).steps
        #expect(steps.map(\.first) == [0, 0, 0] && steps.map(\.second) == [1, 2, 3])
    }
}
