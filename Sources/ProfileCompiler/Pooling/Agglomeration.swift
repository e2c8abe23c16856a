import TensorKernels

/// Pools the sources of one cell pair by pair, always the cheapest pair, down to one slot (or none).
///
/// Keeps the sources' vectors, which a merge adds or averages, and the N x N table of costs; a merge makes one row of it
/// anew, O(N R). Rows learn lazily what changed in their columns: each keeps its place in a log of changed slots and
/// catches up when it looks for its cheapest partner, so that hardly anything is written across the table. Every row
/// remembers that partner. O(N^2) memory (one table), O(N^2 R) time in practice. Ties go to the lowest index.
struct Agglomeration {
    private let cost: MergeCost
    private let weight: Float
    private let meanValue: Float
    private let stride: Int
    private var live: Int
    private var source: [Int32]
    private var isAlive: [Bool]
    private let mass: FloatBuffer
    private let members: FloatBuffer
    private let dropCost: FloatBuffer
    private let dropDistance: FloatBuffer  // squared distance of the value from the cell's mean value
    private let absence: FloatBuffer  // what makes a cost infinite where a slot is gone: 0 or infinity
    private let attention: RowProducts
    private let values: RowProducts
    private let keys: RowProducts
    private let products: [FloatBuffer]  // of one row with all: attention, values, keys
    private let costs: FloatBuffer
    private let cheapest: FloatBuffer
    private var partner: [Int32]
    /// Slots that changed or went, in order; and how much of that each row of costs knows.
    private var changes: [Int32] = []
    private var known: [Int32]
    private var stale: [Int32] = []

    /// The whole sequence for some sources.
    static func sequence(_ descriptors: SourceDescriptors, cost: MergeCost) -> MergeSequence {
        guard cost.pools else { return droppingOnly(descriptors) }
        var agglomeration = Agglomeration(descriptors, cost: cost)
        return agglomeration.run()
    }

    /// Squared error when a source is left out: its attention goes to the others, whose mean value stands in.
    private static func dropping(_ descriptors: SourceDescriptors) -> (distances: [Float], costs: [Float], mean: Float)
    {
        let count = descriptors.count, width = count > 0 ? descriptors.values.count / count : 0
        var center = [Float](repeating: 0, count: width), total: Float = 0
        for item in 0..<count {
            for c in 0..<width { center[c] += descriptors.mass[item] * descriptors.values[item * width + c] }
            total += descriptors.mass[item]
        }
        if total > 0 { for c in 0..<width { center[c] /= total } }
        var distances: [Float] = [], costs: [Float] = [], norms: Float = 0
        for item in 0..<count {
            var distance: Float = 0, attention: Float = 0
            for c in 0..<width {
                let value = descriptors.values[item * width + c]
                distance += (value - center[c]) * (value - center[c])
                norms += value * value
            }
            let signs = descriptors.attention.count / count
            for r in 0..<signs {
                attention += descriptors.attention[item * signs + r] * descriptors.attention[item * signs + r]
            }
            distances.append(distance)
            costs.append(attention * distance * descriptors.weight)
        }
        return (distances, costs, count > 0 ? norms / Float(count) : 0)
    }

    private static func droppingOnly(_ descriptors: SourceDescriptors) -> MergeSequence {
        let costs = dropping(descriptors).costs
        let order = costs.indices.sorted { costs[$0] != costs[$1] ? costs[$0] < costs[$1] : $0 < $1 }
        return MergeSequence(
            sourceCount: costs.count,
            steps: order.map { MergeSequence.Step(first: Int32($0), second: nil, cost: costs[$0]) })
    }

    private init(_ descriptors: SourceDescriptors, cost: MergeCost) {
        let count = descriptors.count
        self.cost = cost
        weight = descriptors.weight
        live = count
        stride = count
        source = (0..<Int32(count)).map { $0 }
        isAlive = Array(repeating: true, count: count)
        mass = FloatBuffer(descriptors.mass)
        members = FloatBuffer(descriptors.members)
        let dropping = Self.dropping(descriptors)
        meanValue = dropping.mean
        dropDistance = FloatBuffer(dropping.distances)
        dropCost = FloatBuffer(cost.drops ? dropping.costs : Array(repeating: .infinity, count: count))
        absence = FloatBuffer.zeros(count: count)
        attention = RowProducts(descriptors.attention, count: count)
        values = RowProducts(descriptors.values, count: count)
        keys = RowProducts(descriptors.keys, count: count)
        products = (0..<3).map { _ in FloatBuffer(count: count) }
        costs = FloatBuffer(count: count * count)
        cheapest = FloatBuffer([Float](repeating: .infinity, count: count))
        partner = (0..<Int32(count)).map { $0 }
        known = Array(repeating: 0, count: count)
        fillAll(descriptors)
        for i in 0..<count { findPartner(i) }
    }

    // MARK: - Costs

    /// All costs, some rows at a time.
    private func fillAll(_ descriptors: SourceDescriptors) {
        let blockRows = 32
        let blocks = (0..<3).map { _ in FloatBuffer(count: blockRows * live) }
        for first in Swift.stride(from: 0, to: live, by: blockRows) {
            let rows = min(blockRows, live - first)
            for (place, (table, numbers)) in [
                (attention, descriptors.attention), (values, descriptors.values), (keys, descriptors.keys),
            ].enumerated() {
                numbers.withUnsafeBufferPointer { numbers in
                    if let start = numbers.baseAddress {
                        table.products(of: start + first * table.width, rows: rows, into: blocks[place].pointer)
                    } else {
                        blocks[place].pointer.update(repeating: 0, count: rows * live)
                    }
                }
            }
            for row in 0..<rows {
                let place = row * live
                fillCosts(
                    first + row, attention: blocks[0].pointer + place, values: blocks[1].pointer + place,
                    keys: blocks[2].pointer + place)
            }
        }
    }

    /// The costs of merging row `i` with every other, from its products with all.
    private func fillCosts(
        _ i: Int, attention: UnsafePointer<Float>, values: UnsafePointer<Float>, keys: UnsafePointer<Float>
    ) {
        let n = members.pointer[i], a = mass.pointer[i], scale = cost.keyWeight * meanValue, weight = weight
        let ownAttention = self.attention.squares.pointer, ownValues = self.values.squares.pointer
        let ownKeys = self.keys.squares.pointer, own = ownAttention[i], ownValue = ownValues[i], ownKey = ownKeys[i]
        let mass = UnsafePointer(mass.pointer), members = UnsafePointer(members.pointer)
        let absence = UnsafePointer(absence.pointer), costs = costs.pointer + i * stride
        switch cost.measure {
        case .geometric:
            for j in 0..<live {
                let distance = max(ownValue + ownValues[j] - 2 * values[j], 0)
                costs[j] = n * members[j] / (n + members[j]) * distance + absence[j]
            }
        case .measured:
            for j in 0..<live {
                let b = mass[j], m = members[j], sum = n + m
                let spread = max(m * m * own + n * n * ownAttention[j] - 2 * n * m * attention[j], 0) / (sum * sum)
                let share = a * b / max((a + b) * (a + b), Float.leastNormalMagnitude)
                let both = max(own + ownAttention[j] + 2 * attention[j], 0)
                let distance = max(ownValue + ownValues[j] - 2 * values[j], 0)
                let difference = max(ownKey + ownKeys[j] - 2 * keys[j], 0)
                let key = scale * both * share * share * min(difference, difference * difference)
                costs[j] = weight * (spread * distance + key) + absence[j]
            }
        }
        costs[i] = .infinity
    }

    /// Makes the costs of row `i` anew.
    private mutating func refresh(_ i: Int) {
        attention.products(of: i, into: products[0].pointer)
        values.products(of: i, into: products[1].pointer)
        keys.products(of: i, into: products[2].pointer)
        fillCosts(i, attention: products[0].pointer, values: products[1].pointer, keys: products[2].pointer)
        changes.append(Int32(i))
        known[i] = Int32(changes.count)
    }

    /// Brings row `i` up to date. A slot that changed after `i` did has the pair's cost in its own row.
    private mutating func catchUp(_ i: Int) {
        let row = costs.pointer + i * stride
        for place in Int(known[i])..<changes.count {
            let j = Int(changes[place])
            guard j != i else { continue }
            row[j] = isAlive[j] ? costs.pointer[j * stride + i] : .infinity
        }
        known[i] = Int32(changes.count)
    }

    private mutating func findPartner(_ i: Int) {
        catchUp(i)
        let best = Self.least(costs.pointer + i * stride, count: live)
        cheapest.pointer[i] = best.map { costs.pointer[i * stride + $0] } ?? .infinity
        partner[i] = Int32(best ?? i)
    }

    /// The lowest place of the least number; nil if all are infinite. Numbers that are not negative order as their bits do.
    private static func least(_ numbers: UnsafePointer<Float>, count: Int) -> Int? {
        let infinity = Float.infinity.bitPattern
        return numbers.withMemoryRebound(to: UInt32.self, capacity: count) { bits in
            var least = infinity
            for j in 0..<count { least = min(least, bits[j]) }
            guard least < infinity else { return nil }
            return (0..<count).first { bits[$0] == least }
        }
    }

    // MARK: - Steps

    private mutating func run() -> MergeSequence {
        let count = live
        var steps: [MergeSequence.Step] = []
        steps.reserveCapacity(count)
        var floor: Float = 0
        var remaining = count
        let least = cost.drops ? 0 : 1
        while remaining > least {
            let pair = Self.least(cheapest.pointer, count: live)
            let drop = cost.drops ? Self.least(dropCost.pointer, count: live) : nil
            let pairCost = pair.map { cheapest.pointer[$0] } ?? .infinity
            let lossCost = drop.map { dropCost.pointer[$0] } ?? .infinity
            if let pair, pairCost <= lossCost {
                let other = Int(partner[pair]), kept = min(pair, other), gone = max(pair, other)
                floor = max(floor, pairCost)
                steps.append(MergeSequence.Step(first: source[kept], second: source[gone], cost: floor))
                merge(gone, into: kept)
            } else if let drop {
                floor = max(floor, lossCost)
                steps.append(MergeSequence.Step(first: source[drop], second: nil, cost: floor))
                remove(drop)
                for i in 0..<live where isAlive[i] && Int(partner[i]) == drop { findPartner(i) }
            } else {
                break
            }
            remaining -= 1
            if remaining * 4 < live * 3, live > 64 { compact() }
        }
        return MergeSequence(sourceCount: count, steps: steps)
    }

    private mutating func remove(_ gone: Int) {
        isAlive[gone] = false
        cheapest.pointer[gone] = .infinity
        dropCost.pointer[gone] = .infinity
        absence.pointer[gone] = .infinity
        changes.append(Int32(gone))
    }

    private mutating func merge(_ gone: Int, into kept: Int) {
        let n = members.pointer[kept], m = members.pointer[gone], p = n / (n + m), q = m / (n + m)
        let between = cost.drops ? values.distance(kept, gone) : 0
        attention.combine(kept, times: 1, gone, times: 1)
        values.combine(kept, times: p, gone, times: q)
        keys.combine(kept, times: p, gone, times: q)
        mass.pointer[kept] += mass.pointer[gone]
        members.pointer[kept] = n + m
        if cost.drops {
            let distances = dropDistance.pointer
            distances[kept] = max(p * distances[kept] + q * distances[gone] - p * q * between, 0)
            dropCost.pointer[kept] = attention.squares.pointer[kept] * distances[kept] * weight
        }
        remove(gone)
        refresh(kept)
        stale.removeAll(keepingCapacity: true)
        updatePartners(kept, gone)
        for i in stale { findPartner(Int(i)) }
        findPartner(kept)
    }

    /// Partners of the rows that slot `kept` is now cheaper for; the others that lost theirs go to ``stale``.
    private mutating func updatePartners(_ kept: Int, _ gone: Int) {
        let row = costs.pointer + kept * stride, cheapest = cheapest.pointer
        let (lost, changed) = (Int32(gone), Int32(kept))
        for j in 0..<live {
            let new = row[j], old = cheapest[j], other = partner[j]
            if new < old || (new == old && changed < other) {
                cheapest[j] = new
                partner[j] = changed
            } else if other == lost || (other == changed && new > old) {
                if isAlive[j], j != kept { stale.append(Int32(j)) }
            }
        }
    }

    /// Moves the live rows and columns together, in order.
    private mutating func compact() {
        let kept = (0..<live).filter { isAlive[$0] }
        for i in kept { catchUp(i) }
        for (i, old) in kept.enumerated() {
            let from = costs.pointer + old * stride, to = costs.pointer + i * stride
            for (j, column) in kept.enumerated() { to[j] = from[column] }
        }
        for table in [attention, values, keys] { table.keep(kept) }
        var places = [Int32](repeating: 0, count: live)
        for (place, old) in kept.enumerated() { places[old] = Int32(place) }
        for buffer in [mass, members, dropCost, dropDistance, cheapest] {
            for (place, old) in kept.enumerated() { buffer.pointer[place] = buffer.pointer[old] }
        }
        source = kept.map { source[$0] }
        partner = kept.map { places[Int(partner[$0])] }
        live = kept.count
        absence.pointer.update(repeating: 0, count: live)
        isAlive = Array(repeating: true, count: live)
        known = Array(repeating: 0, count: live)
        changes.removeAll(keepingCapacity: true)
    }
}
