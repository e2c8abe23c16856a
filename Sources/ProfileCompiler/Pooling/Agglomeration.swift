import TensorKernels

/// Pools the sources of one cell pair by pair, always the cheapest pair, down to one slot (or none).
///
/// Keeps the products of attention sketches and the squared distances of values and keys as N x N tables, which a merge
/// updates in O(N): attention adds, and the distances of a weighted mean follow from those of its parts (Lance, Williams
/// 1967). Every row remembers its cheapest partner. O(N^2) memory (four tables), O(N^2) time in practice.
/// Ties go to the lowest index.
struct Agglomeration {
    private let cost: MergeCost
    private let weight: Float
    private var live: Int
    private let stride: Int
    private var source: [Int32]
    private var mass: [Float]
    private var members: [Float]
    private var ownAttention: [Float]  // diagonal of the attention table
    private var dropCost: [Float]
    private var dropDistance: [Float]  // squared distance of the value from the cell's mean value
    private let meanValue: Float
    private let attention: FloatBuffer
    private let values: FloatBuffer
    private let keys: FloatBuffer
    private let costs: FloatBuffer
    private var partner: [Int]
    private var cheapest: [Float]

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
        self.cost = cost
        weight = descriptors.weight
        let count = descriptors.count
        live = count
        stride = count
        source = (0..<Int32(count)).map { $0 }
        mass = descriptors.mass
        members = descriptors.members
        let dropping = Self.dropping(descriptors)
        dropDistance = dropping.distances
        dropCost = cost.drops ? dropping.costs : Array(repeating: .infinity, count: count)
        meanValue = dropping.mean
        attention = Self.products(descriptors.attention, count: count)
        values = Self.products(descriptors.values, count: count)
        keys = Self.products(descriptors.keys, count: count)
        ownAttention = (0..<count).map { [attention] in attention.pointer[$0 * count + $0] }
        for table in [values, keys] {
            let own = (0..<count).map { table.pointer[$0 * count + $0] }
            for i in 0..<count {
                let row = table.pointer + i * count
                for j in 0..<count { row[j] = max(own[i] + own[j] - 2 * row[j], 0) }
            }
        }
        costs = FloatBuffer(count: count * count)
        partner = Array(repeating: 0, count: count)
        cheapest = Array(repeating: .infinity, count: count)
        for i in 0..<count {
            fillCosts(i)
            findPartner(i)
        }
    }

    /// `[N, N]` dot products of the rows of `[N, R]`.
    private static func products(_ rows: [Float], count: Int) -> FloatBuffer {
        let table = FloatBuffer(count: count * count)
        guard count > 0, !rows.isEmpty else { return table }
        let layer = LinearLayer(weight: rows, bias: nil, outputs: count, inputs: rows.count / count)
        rows.withUnsafeBufferPointer { rows in
            if let base = rows.baseAddress { layer(base, rows: count, into: table.pointer) }
        }
        return table
    }

    /// The costs of merging row `i` with every other.
    private func fillCosts(_ i: Int) {
        let own = ownAttention[i], a = mass[i], n = members[i], scale = cost.keyWeight * meanValue, weight = weight
        let attention = attention.pointer + i * stride, values = values.pointer + i * stride
        let keys = keys.pointer + i * stride, costs = costs.pointer + i * stride
        switch cost.measure {
        case .geometric:
            for j in 0..<live { costs[j] = n * members[j] / (n + members[j]) * values[j] }
        case .measured:
            mass.withUnsafeBufferPointer { mass in
                members.withUnsafeBufferPointer { members in
                    ownAttention.withUnsafeBufferPointer { owns in
                        for j in 0..<live {
                            let b = mass[j], m = members[j], sum = n + m
                            let spread = max(m * m * own + n * n * owns[j] - 2 * n * m * attention[j], 0) / (sum * sum)
                            let share = a * b / max((a + b) * (a + b), Float.leastNormalMagnitude)
                            let both = max(own + owns[j] + 2 * attention[j], 0)
                            let difference = keys[j]
                            let key = scale * both * share * share * min(difference, difference * difference)
                            costs[j] = weight * (spread * values[j] + key)
                        }
                    }
                }
            }
        }
        costs[i] = .infinity
    }

    private mutating func findPartner(_ i: Int) {
        let row = costs.pointer + i * stride
        var best = Float.infinity, place = i
        for j in 0..<live where row[j] < best {
            best = row[j]
            place = j
        }
        cheapest[i] = best
        partner[i] = place
    }

    private mutating func run() -> MergeSequence {
        let count = live
        var steps: [MergeSequence.Step] = []
        steps.reserveCapacity(count)
        var floor: Float = 0
        var alive = [Bool](repeating: true, count: count)
        var remaining = count
        let least = cost.drops ? 0 : 1
        while remaining > least {
            var pair = -1, drop = -1, pairCost = Float.infinity, lossCost = Float.infinity
            for i in 0..<live where alive[i] {
                if cheapest[i] < pairCost { (pair, pairCost) = (i, cheapest[i]) }
                if dropCost[i] < lossCost { (drop, lossCost) = (i, dropCost[i]) }
            }
            guard pair >= 0 || drop >= 0 else { break }
            let gone: Int
            if pair >= 0, pairCost <= lossCost {
                let other = partner[pair], kept = min(pair, other)
                gone = max(pair, other)
                floor = max(floor, pairCost)
                steps.append(MergeSequence.Step(first: source[kept], second: source[gone], cost: floor))
                merge(gone, into: kept, alive: &alive)
            } else {
                gone = drop
                floor = max(floor, lossCost)
                steps.append(MergeSequence.Step(first: source[gone], second: nil, cost: floor))
                remove(gone, alive: &alive)
            }
            remaining -= 1
            for i in 0..<live where alive[i] && (partner[i] == gone) { findPartner(i) }
            if remaining * 2 < live, live > 64 { compact(&alive) }
        }
        return MergeSequence(sourceCount: count, steps: steps)
    }

    private mutating func remove(_ gone: Int, alive: inout [Bool]) {
        alive[gone] = false
        cheapest[gone] = .infinity
        for j in 0..<live { costs.pointer[j * stride + gone] = .infinity }
    }

    private mutating func merge(_ gone: Int, into kept: Int, alive: inout [Bool]) {
        let n = members[kept], m = members[gone], p = n / (n + m), q = m / (n + m)
        let between = values.pointer[kept * stride + gone], keysBetween = keys.pointer[kept * stride + gone]
        let cross = attention.pointer[kept * stride + gone]
        let (row, other) = (kept * stride, gone * stride)
        for j in 0..<live {
            attention.pointer[row + j] += attention.pointer[other + j]
            let value = p * values.pointer[row + j] + q * values.pointer[other + j] - p * q * between
            let key = p * keys.pointer[row + j] + q * keys.pointer[other + j] - p * q * keysBetween
            values.pointer[row + j] = max(value, 0)
            keys.pointer[row + j] = max(key, 0)
        }
        ownAttention[kept] = max(ownAttention[kept] + ownAttention[gone] + 2 * cross, 0)
        attention.pointer[row + kept] = ownAttention[kept]
        values.pointer[row + kept] = 0
        keys.pointer[row + kept] = 0
        mass[kept] += mass[gone]
        members[kept] = n + m
        dropDistance[kept] = max(p * dropDistance[kept] + q * dropDistance[gone] - p * q * between, 0)
        if cost.drops { dropCost[kept] = ownAttention[kept] * dropDistance[kept] * weight }
        remove(gone, alive: &alive)
        fillCosts(kept)
        for j in 0..<live {
            if !alive[j] {
                costs.pointer[row + j] = .infinity
                continue
            }
            attention.pointer[j * stride + kept] = attention.pointer[row + j]
            values.pointer[j * stride + kept] = values.pointer[row + j]
            keys.pointer[j * stride + kept] = keys.pointer[row + j]
            guard j != kept else { continue }
            let new = costs.pointer[row + j]
            costs.pointer[j * stride + kept] = new
            if partner[j] == kept, new > cheapest[j] {
                findPartner(j)
            } else if new < cheapest[j] || (new == cheapest[j] && kept < partner[j]) {
                cheapest[j] = new
                partner[j] = kept
            }
        }
        findPartner(kept)
    }

    /// Moves the live rows and columns together, in order.
    private mutating func compact(_ alive: inout [Bool]) {
        let kept = (0..<live).filter { alive[$0] }
        for table in [attention, values, keys, costs] {
            for (i, old) in kept.enumerated() {
                let from = table.pointer + old * stride, to = table.pointer + i * stride
                for (j, column) in kept.enumerated() { to[j] = from[column] }
            }
        }
        var places = [Int](repeating: 0, count: live)
        for (place, old) in kept.enumerated() { places[old] = place }
        func gather<T>(_ array: inout [T]) {
            for (place, old) in kept.enumerated() { array[place] = array[old] }
        }
        gather(&source)
        gather(&mass)
        gather(&members)
        gather(&ownAttention)
        gather(&dropCost)
        gather(&dropDistance)
        gather(&cheapest)
        gather(&partner)
        live = kept.count
        for place in 0..<live { partner[place] = places[partner[place]] }
        for place in 0..<alive.count { alive[place] = place < live }
    }
}
