import VernierCore

/// A plan in a profile file: an object with base64 strings over packed bits, cell after cell in the order
/// `[branch][scale][layer][head]`. How many slots a cell has is not repeated: it is the cell's capacity, and a cell
/// with as many slots as sources keeps everything and takes no bits.
///
/// - `maps`: for each other cell, one bit a source (1: it opens the next slot), then for each source that opens none,
///   in order, the slot it joins in `w` bits, where `w` is the width of the number of slots and that number itself
///   means "dropped"; filled to a whole byte.
/// - `weights` (left out if there are none): one byte for every source that shares a slot with another; see
///   ``BoundaryMap/weightCodes``.
/// - `keys`, `values` (left out if keys go by weights or are plain means, and if values have the coefficients of keys):
///   one 16-bit code, lowest byte first, for each of the same sources; see ``BoundaryMap/coefficientSteps``.
/// - `biases` (left out if all are plain): one 16-bit code for every slot of those cells.
///
/// Infinity-2B at 1M with 10 % kept has 4.6 million sources if branches share their maps: 5.7 MB of text, 11.2 MB with
/// weights; twice that if they do not.
extension PoolingPlan {
    var jsonValue: JSONValue {
        var object = JSONObject()
        object["maps"] = .string(Base64.encode(packedMaps))
        let keys = packedCodes { map, isCoded in map.keyCodes.indices.filter { isCoded[$0] }.map { map.keyCodes[$0] } }
        let values = packedCodes { map, isCoded in
            map.valueCodes.indices.filter { isCoded[$0] }.map { map.valueCodes[$0] }
        }
        let biases = packedCodes { map, _ in map.biasCodes }
        let weights = allMaps.flatMap { map in
            map.weightCodes.isEmpty ? [] : zip(map.weightCodes, map.isShared).filter(\.1).map(\.0)
        }
        if !weights.isEmpty { object["weights"] = .string(Base64.encode(weights)) }
        if !keys.isEmpty { object["keys"] = .string(Base64.encode(keys)) }
        if !values.isEmpty { object["values"] = .string(Base64.encode(values)) }
        if !biases.isEmpty { object["biases"] = .string(Base64.encode(biases)) }
        return .object(object)
    }

    private var packedMaps: [UInt8] {
        var writer = BitWriter()
        for map in allMaps where !map.isIdentity {
            let width = Self.width(of: map.slotCount)
            var opened = 0, joining: [Int] = []
            for target in map.targets {
                let opens = target != BoundaryMap.dropped && Int(target) == opened
                writer.append(opens ? 1 : 0, width: 1)
                if opens {
                    opened += 1
                } else {
                    joining.append(target == BoundaryMap.dropped ? map.slotCount : Int(target))
                }
            }
            for slot in joining { writer.append(slot, width: width) }
            writer.align()
        }
        return writer.bytes
    }

    private func packedCodes(_ codes: (BoundaryMap, [Bool]) -> [Int16]) -> [UInt8] {
        var bytes: [UInt8] = []
        for map in allMaps where !map.isIdentity {
            for code in codes(map, map.isShared) {
                bytes.append(UInt8(truncatingIfNeeded: code))
                bytes.append(UInt8(truncatingIfNeeded: code >> 8))
            }
        }
        return bytes
    }

    /// Bits that hold the numbers `0 ... count`.
    private static func width(of count: Int) -> Int { Int.bitWidth - count.leadingZeroBitCount }

    /// One packed part of the text and where it stands.
    private struct Part {
        let cursor: JSONCursor
        let bytes: [UInt8]

        init(_ cursor: JSONCursor) throws {
            guard let bytes = Base64.decode(try cursor.string()) else {
                throw cursor.error(expected: "base64 text, padded, without spaces", found: "something else")
            }
            self.cursor = cursor
            self.bytes = bytes
        }

        func require(byteCount: Int, for what: String) throws {
            guard bytes.count == byteCount else {
                throw cursor.error(expected: "\(byteCount) bytes for these \(what)", found: "\(bytes.count) bytes")
            }
        }
    }

    /// Reads a plan whose cells hold `capacities` slots; the table fits the schedule.
    ///
    /// Memory stays in proportion to the text: cells that keep everything take none. Everything that the public
    /// initialiser checks is checked here on the way.
    init(reading cursor: JSONCursor, capacities: CellCapacities, schedule: ScaleSchedule) throws {
        try cursor.requireOnly(keys: ["biases", "keys", "maps", "values", "weights"])
        let row = capacities.layerCount * capacities.headCount
        // What each cell holds, scale by scale, and how many bytes its map takes.
        let slots = (0..<capacities.branchCount).flatMap { branch in
            (0..<capacities.scaleCount).flatMap { scale in
                (0..<row).map { capacities[branch, scale, $0 / capacities.headCount, $0 % capacities.headCount] }
            }
        }
        let sources = slots.indices.map { cell -> Int in
            let scale = cell / row % schedule.scaleCount
            return scale == 0 ? 0 : slots[cell - row] + schedule.tokenCount(scale - 1)
        }
        let packed = try Part(cursor.member("maps"))
        var byteCount = 0
        let starts = slots.indices.map { cell -> Int in
            defer {
                if slots[cell] < sources[cell] {
                    let bits = sources[cell] + (sources[cell] - slots[cell]) * Self.width(of: slots[cell])
                    byteCount += (bits + 7) / 8
                }
            }
            return byteCount
        }
        try packed.require(byteCount: byteCount, for: "capacities")
        var maps: [BoundaryMap] = [], members: [[Int32]] = []
        maps.reserveCapacity(slots.count)
        members.reserveCapacity(slots.count)
        var fitted = try FittedParts(cursor)
        for cell in slots.indices {
            let isFirst = cell / row % schedule.scaleCount == 0
            let count = slots[cell], oldSlots = isFirst ? 0 : slots[cell - row]
            let oldMembers = isFirst ? [] : members[cell - row]
            guard count <= BoundaryMap.largestSlotCount, count <= sources[cell] else {
                throw packed.cursor.error(
                    expected: "at most \(min(sources[cell], BoundaryMap.largestSlotCount)) slots in cell \(cell)",
                    found: "\(count)")
            }
            guard count < sources[cell] else {
                maps.append(BoundaryMap(keeping: count))
                members.append(
                    oldMembers.isEmpty ? [] : oldMembers + [Int32](repeating: 1, count: count - oldSlots))
                continue
            }
            guard
                let read = PackedMap(
                    packed.bytes, at: starts[cell], sources: sources[cell], slots: count, width: Self.width(of: count),
                    oldSlots: oldSlots, oldMembers: oldMembers)
            else {
                throw packed.cursor.error(
                    expected: "every source in one of \(count) slots or dropped, slots numbered by their first source",
                    found: "another code in cell \(cell)")
            }
            maps.append(fitted.next(read, slotCount: count))
            members.append(read.members)
        }
        try fitted.requireAllRead()
        self.init(
            checked: maps, members: members, schedule: schedule, branchCount: capacities.branchCount,
            layerCount: capacities.layerCount, headCount: capacities.headCount)
    }

    /// The numbers beside the maps, read in step with them.
    private struct FittedParts {
        private let weights: Part?
        private let keys: Part?
        private let values: Part?
        private let biases: Part?
        /// Sources and slots passed so far.
        private var source = 0
        private var slot = 0

        init(_ cursor: JSONCursor) throws {
            weights = try cursor.optionalMember("weights").map(Part.init)
            keys = try cursor.optionalMember("keys").map(Part.init)
            values = try cursor.optionalMember("values").map(Part.init)
            biases = try cursor.optionalMember("biases").map(Part.init)
            if let keys, weights != nil {
                throw keys.cursor.error(expected: "either keys or weights", found: "both")
            }
        }

        /// The map with its numbers. Where the parts end too early they read as zeros, and `requireAllRead` throws.
        mutating func next(_ map: PackedMap, slotCount: Int) -> BoundaryMap {
            let (keyCodes, valueCodes) = coefficientCodes(map)
            var weightCodes: [UInt8] = []
            if let weights {
                let start = source
                weightCodes = weights.bytes.withUnsafeBufferPointer { bytes in
                    map.spread(alone: 0, available: bytes.count - start) { bytes[start &+ $0] }
                }
            }
            let biasCodes = biases.map { part in
                part.bytes.withUnsafeBytes { bytes in
                    let available = bytes.count / 2 - slot
                    return (0..<slotCount).map { $0 < available ? Self.code(bytes, slot &+ $0) : 0 }
                }
            }
            let result = BoundaryMap(
                targets: map.targets, slotCount: slotCount, weightCodes: weightCodes, keyCodes: keyCodes,
                valueCodes: valueCodes, biasCodes: biasCodes ?? [])
            source += map.sharedCount
            slot += slotCount
            return result
        }

        private func coefficientCodes(_ map: PackedMap) -> (keys: [Int16], values: [Int16]) {
            let start = source, alone = Int16(BoundaryMap.coefficientSteps)
            func codes(_ part: Part?) -> [Int16] {
                guard let part else { return [] }
                return part.bytes.withUnsafeBytes { bytes in
                    map.spread(alone: alone, available: bytes.count / 2 - start) { Self.code(bytes, start &+ $0) }
                }
            }
            guard let keys, let values, keys.bytes.count == values.bytes.count else {
                return (codes(keys), codes(values))
            }
            return keys.bytes.withUnsafeBytes { keys in
                values.bytes.withUnsafeBytes { values in
                    map.spread(
                        alone: alone, available: keys.count / 2 - start, { Self.code(keys, start &+ $0) },
                        { Self.code(values, start &+ $0) })
                }
            }
        }

        /// The 16-bit code at `index`, lowest byte first.
        @inline(__always)
        private static func code(_ bytes: UnsafeRawBufferPointer, _ index: Int) -> Int16 {
            Int16(littleEndian: bytes.loadUnaligned(fromByteOffset: 2 &* index, as: Int16.self))
        }

        func requireAllRead() throws {
            try weights?.require(byteCount: source, for: "maps")
            try keys?.require(byteCount: 2 * source, for: "maps")
            try values?.require(byteCount: 2 * source, for: "maps")
            try biases?.require(byteCount: 2 * slot, for: "maps")
        }
    }
}
