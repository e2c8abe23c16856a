import VernierCore

#if canImport(Glibc)
import Glibc
#elseif canImport(Darwin)
import Darwin
#endif

/// The fixed boundary maps of a profile: which old slots and new tokens become which slots, for every cell.
///
/// Positions mean the same in every image, so what may stand for what is decided when the profile is compiled; the
/// runtime adds with fixed coefficients and scores nothing (`method.md` section 4). Groups are nested: what shares a slot
/// once shares it ever after.
public struct PoolingPlan: Sendable, Hashable {
    /// The feature that a profile with a plan requires of its reader.
    public static let requirement = "boundary-maps"

    /// The branches told apart; 1 means that all branches share one table.
    public let branchCount: Int
    /// K, the number of scales.
    public let scaleCount: Int
    /// Transformer layers.
    public let layerCount: Int
    /// Heads per layer.
    public let headCount: Int
    /// [branch][scale][layer][head]; the maps of scale 0 are empty.
    let maps: [BoundaryMap]
    /// History positions of each slot, per cell; empty: one each.
    let memberCounts: [[Int32]]

    /// Makes a plan from the maps of all cells, `[branch][scale][layer][head]`. The map of scale k is what happens after
    /// scale k-1 has finished and before scale k begins; those of scale 0 keep nothing of nothing.
    ///
    /// Throws ``VernierError/Code/invalidArgument`` with what is wrong: maps missing, sources that are not the slots before
    /// and the new tokens, slots without a source or out of order, too many slots.
    public init(
        schedule: ScaleSchedule, branchCount: Int, layerCount: Int, headCount: Int, maps: [BoundaryMap]
    ) throws {
        self.branchCount = branchCount
        scaleCount = schedule.scaleCount
        self.layerCount = layerCount
        self.headCount = headCount
        self.maps = maps
        let row = layerCount * headCount
        guard branchCount > 0, row > 0, maps.count == branchCount * scaleCount * row else {
            throw VernierError(
                .invalidArgument, at: "plan", expected: "\(branchCount * schedule.scaleCount * row) maps",
                found: "\(maps.count)")
        }
        var members = [[Int32]](repeating: [], count: maps.count)
        var problems: [String] = []
        for cell in maps.indices {
            let scale = cell / row % schedule.scaleCount
            let before = scale == 0 ? 0 : maps[cell - row].slotCount
            let arriving = scale == 0 ? 0 : schedule.tokenCount(scale - 1)
            do {
                members[cell] = try Self.members(
                    of: maps[cell], oldSlots: before, oldMembers: scale == 0 ? [] : members[cell - row],
                    arriving: arriving)
            } catch let error as VernierError {
                problems += error.problems.map {
                    "branch \(cell / row / schedule.scaleCount), scale \(scale), layer \(cell % row / headCount), "
                        + "head \(cell % headCount): \($0)"
                }
                if problems.count >= 8 { break }
            }
        }
        let merging = maps.filter { !$0.isIdentity }
        for (word, hasCodes) in [
            ("weight", { !$0.weightCodes.isEmpty }), ("key", { !$0.keyCodes.isEmpty }),
            ("value", { !$0.valueCodes.isEmpty }), ("bias", { !$0.biasCodes.isEmpty }),
        ] as [(String, (BoundaryMap) -> Bool)] {
            let coded = merging.count { hasCodes($0) || $0.slotCount == 0 }
            let plain = merging.count { !hasCodes($0) }
            if coded < merging.count, plain < merging.count {
                problems.append("expected \(word) codes for all maps that pool or drop, or for none")
            }
        }
        guard problems.isEmpty else { throw VernierError(.invalidArgument, at: "plan", problems: problems) }
        memberCounts = members
    }

    /// Takes maps and members that have been checked.
    init(
        checked maps: [BoundaryMap], members: [[Int32]], schedule: ScaleSchedule, branchCount: Int, layerCount: Int,
        headCount: Int
    ) {
        self.branchCount = branchCount
        scaleCount = schedule.scaleCount
        self.layerCount = layerCount
        self.headCount = headCount
        self.maps = maps
        memberCounts = members
    }

    /// The map that makes the slots a cell holds when `scale` begins.
    /// - Precondition: the indices are in range; any `branch` is if the table is shared.
    public func map(branch: Int, scale: Int, layer: Int, head: Int) -> BoundaryMap {
        maps[index(branch, scale, layer, head)]
    }

    /// How many history positions each slot of a cell stands for when `scale` begins; empty: one each.
    /// - Precondition: the indices are in range; any `branch` is if the table is shared.
    public func members(branch: Int, scale: Int, layer: Int, head: Int) -> [Int32] {
        memberCounts[index(branch, scale, layer, head)]
    }

    /// What each source counts in its slot when `scale` begins.
    /// - Precondition: the indices are in range, `scale` from 1; any `branch` is if the table is shared.
    public func coefficients(branch: Int, scale: Int, layer: Int, head: Int) -> BoundaryCoefficients {
        let cell = index(branch, scale, layer, head), before = index(branch, scale - 1, layer, head)
        return BoundaryCoefficients(
            map: maps[cell], before: memberCounts[before], after: memberCounts[cell], oldCount: maps[before].slotCount)
    }

    /// The fixed logit bias of each slot of a cell when `scale` begins, nats: the log of its members unless fitted.
    ///
    /// Slots of an identity map carry their biases on; new tokens have 0.
    public func biases(branch: Int, scale: Int, layer: Int, head: Int) -> [Float] {
        let map = map(branch: branch, scale: scale, layer: layer, head: head)
        guard !map.isIdentity else {
            guard scale > 0 else { return [] }
            let before = biases(branch: branch, scale: scale - 1, layer: layer, head: head)
            return before + [Float](repeating: 0, count: map.slotCount - before.count)
        }
        let plain = plainBiases(branch: branch, scale: scale, layer: layer, head: head)
        return map.biasCodes.isEmpty
            ? plain : plain.indices.map { plain[$0] + Float(map.biasCodes[$0]) / BoundaryMap.biasSteps }
    }

    /// The log of each slot's members, nats: the biases of a plan without fitted numbers.
    /// - Precondition: the indices are in range; any `branch` is if the table is shared.
    public func plainBiases(branch: Int, scale: Int, layer: Int, head: Int) -> [Float] {
        let members = members(branch: branch, scale: scale, layer: layer, head: head)
        let count = map(branch: branch, scale: scale, layer: layer, head: head).slotCount
        return (0..<count).map { members.isEmpty ? 0 : Self.log(members[$0]) }
    }

    /// Writes what ``biases(branch:scale:layer:head:)`` gives for a map that is not the identity, without an array: a
    /// runtime asks for every cell of every picture.
    package func writeBiases(
        branch: Int, scale: Int, layer: Int, head: Int, to biases: UnsafeMutablePointer<Float>
    ) {
        let cell = index(branch, scale, layer, head), codes = maps[cell].biasCodes
        for (slot, members) in memberCounts[cell].enumerated() { biases[slot] = Self.log(members) }
        if memberCounts[cell].isEmpty { biases.update(repeating: 0, count: maps[cell].slotCount) }
        for (slot, code) in codes.enumerated() { biases[slot] += Float(code) / BoundaryMap.biasSteps }
    }

    /// The log of a number of members; few are large, so most are looked up.
    private static func log(_ members: Int32) -> Float {
        members < logs.count ? logs[Int(members)] : logf(Float(members))
    }

    private static let logs = (0..<1024).map { logf(Float($0)) }

    /// The history positions of every slot of a cell when `scale` begins, ascending; positions that are in no slot were
    /// dropped.
    public func groups(branch: Int, scale: Int, layer: Int, head: Int, schedule: ScaleSchedule) -> [[Int]] {
        var slots: [[Int]] = []
        for step in stride(from: 1, through: scale, by: 1) {
            let map = map(branch: branch, scale: step, layer: layer, head: head)
            let first = schedule.historyTokens(step - 1)
            let sources = slots + (0..<schedule.tokenCount(step - 1)).map { [first + $0] }
            guard !map.isIdentity else {
                slots = sources
                continue
            }
            var next = [[Int]](repeating: [], count: map.slotCount)
            for (source, target) in map.targets.enumerated() where target != BoundaryMap.dropped {
                next[Int(target)] += sources[source]
            }
            slots = next.map { $0.sorted() }
        }
        return slots
    }

    /// All maps, `[branch][scale][layer][head]`.
    var allMaps: [BoundaryMap] { maps }

    /// The slots of every cell.
    public var capacities: CellCapacities {
        CellCapacities(
            branchCount: branchCount, scaleCount: scaleCount, layerCount: layerCount, headCount: headCount,
            tokens: maps.map(\.slotCount))
    }

    func index(_ branch: Int, _ scale: Int, _ layer: Int, _ head: Int) -> Int {
        ((branchCount == 1 ? 0 : branch) * scaleCount + scale) * layerCount * headCount + layer * headCount + head
    }

    /// The members of a map's slots; throws what is wrong with the map.
    private static func members(
        of map: BoundaryMap, oldSlots: Int, oldMembers: [Int32], arriving: Int
    ) throws -> [Int32] {
        func failure(_ expected: String, _ found: String) -> VernierError {
            VernierError(.invalidArgument, at: "map", expected: expected, found: found)
        }
        guard map.sourceCount == oldSlots + arriving else {
            throw failure("\(oldSlots) old slots and \(arriving) new tokens", "\(map.sourceCount) sources")
        }
        guard map.slotCount <= BoundaryMap.largestSlotCount, map.slotCount <= map.sourceCount else {
            throw failure(
                "at most \(min(map.sourceCount, BoundaryMap.largestSlotCount)) slots", "\(map.slotCount)")
        }
        guard !map.isIdentity else {
            return oldMembers.isEmpty ? [] : oldMembers + [Int32](repeating: 1, count: arriving)
        }
        guard map.targets.count == map.sourceCount,
            map.weightCodes.isEmpty || (map.weightCodes.count == map.sourceCount && map.keyCodes.isEmpty),
            map.keyCodes.isEmpty || map.keyCodes.count == map.sourceCount,
            map.valueCodes.isEmpty || map.valueCodes.count == map.sourceCount,
            map.biasCodes.isEmpty || map.biasCodes.count == map.slotCount
        else { throw failure("one target and coefficient a source, one bias a slot", "other counts") }
        var members = [Int32](repeating: 0, count: map.slotCount)
        var opened = 0
        for (source, target) in map.targets.enumerated() where target != BoundaryMap.dropped {
            guard target <= opened, target < map.slotCount else {
                throw failure("slots numbered by their first source", "slot \(target) after \(opened) slots")
            }
            if target == opened { opened += 1 }
            members[Int(target)] += source < oldSlots && !oldMembers.isEmpty ? oldMembers[source] : 1
        }
        guard opened == map.slotCount else { throw failure("\(map.slotCount) slots with a source", "\(opened)") }
        return members.allSatisfy { $0 == 1 } ? [] : members
    }
}
