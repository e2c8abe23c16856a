import VernierCore

/// A plan in a profile file: an object with base64 strings over packed bits, cell after cell in the order
/// `[branch][scale][layer][head]`. How many slots a cell has is not repeated: it is the cell's capacity, and a cell
/// with as many slots as sources keeps everything and takes no bits.
///
/// - `maps`: for each other cell, one bit a source (1: it opens the next slot), then for each source that opens none,
///   in order, the slot it joins in `w` bits, where `w` is the width of the number of slots and that number itself
///   means "dropped"; filled to a whole byte.
/// - `keys`, `values` (left out if keys are plain means, and if values have the coefficients of keys): one 16-bit code,
///   lowest byte first, for every source that shares a slot with another; see ``BoundaryMap/coefficientSteps``.
/// - `biases` (left out if all are plain): one 16-bit code for every slot of those cells.
///
/// Infinity-2B at 1M with 10 % kept has 9.2 million sources: 10.6 MB of text without fitted numbers.
extension PoolingPlan {
    var jsonValue: JSONValue {
        var object = JSONObject()
        object["maps"] = .string(Base64.encode(packedMaps))
        let keys = packedCodes { map, isCoded in map.keyCodes.indices.filter { isCoded[$0] }.map { map.keyCodes[$0] } }
        let values = packedCodes { map, isCoded in
            map.valueCodes.indices.filter { isCoded[$0] }.map { map.valueCodes[$0] }
        }
        let biases = packedCodes { map, _ in map.biasCodes }
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

    /// Reads a plan whose cells hold `capacities` slots; the table fits the schedule.
    ///
    /// Memory stays in proportion to the text: cells that keep everything take none.
    init(reading cursor: JSONCursor, capacities: CellCapacities, schedule: ScaleSchedule) throws {
        try cursor.requireOnly(keys: ["biases", "keys", "maps", "values"])
        func bytes(_ member: JSONCursor) throws -> [UInt8] {
            guard let bytes = Base64.decode(try member.string()) else {
                throw member.error(expected: "base64 text, padded, without spaces", found: "something else")
            }
            return bytes
        }
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
        let mapsMember = try cursor.member("maps")
        let packed = try bytes(mapsMember)
        var expectedBytes = 0
        let starts = slots.indices.map { cell -> Int in
            defer {
                if slots[cell] < sources[cell] {
                    let bits = sources[cell] + (sources[cell] - slots[cell]) * Self.width(of: slots[cell])
                    expectedBytes += (bits + 7) / 8
                }
            }
            return expectedBytes
        }
        guard expectedBytes == packed.count else {
            throw mapsMember.error(
                expected: "\(expectedBytes) bytes for these capacities", found: "\(packed.count) bytes")
        }
        var maps: [BoundaryMap] = []
        maps.reserveCapacity(slots.count)
        for cell in slots.indices {
            guard slots[cell] < sources[cell] else {
                maps.append(BoundaryMap(keeping: sources[cell]))
                continue
            }
            let count = slots[cell]
            guard count <= BoundaryMap.largestSlotCount,
                let targets = Self.targets(packed, at: starts[cell], sources: sources[cell], slots: count)
            else {
                throw mapsMember.error(
                    expected: "every source in one of \(count) slots or dropped, slots numbered by their first source",
                    found: "another code in cell \(cell)")
            }
            maps.append(BoundaryMap(targets: targets, slotCount: count))
        }
        maps = try Self.fitting(
            maps, keys: cursor.optionalMember("keys").map { ($0, try bytes($0)) },
            values: cursor.optionalMember("values").map { ($0, try bytes($0)) },
            biases: cursor.optionalMember("biases").map { ($0, try bytes($0)) })
        do {
            try self.init(
                schedule: schedule, branchCount: capacities.branchCount, layerCount: capacities.layerCount,
                headCount: capacities.headCount, maps: maps)
        } catch let error as VernierError {
            throw VernierError(.malformedFile, at: cursor.place, problems: error.problems)
        }
    }

    /// The targets of one cell; nil if the bits are no map.
    private static func targets(_ packed: [UInt8], at start: Int, sources: Int, slots: Int) -> [UInt16]? {
        let width = width(of: slots)
        var isSound = true
        let targets = [UInt16](unsafeUninitializedCapacity: sources) { targets, count in
            packed.withUnsafeBufferPointer { packed in
                var flags = BitReader(packed, byteOffset: start), joins = flags
                joins.skip(sources)
                var opened = 0, joined = 0
                for source in 0..<sources {
                    let opens = flags.next(1)
                    let join = joins.peek(width)
                    // No branch: which way a source goes is noise to a predictor.
                    joins.skip(opens == 1 ? 0 : width)
                    isSound = isSound && (opens == 1 || join < opened || join == slots)
                    targets[source] =
                        opens == 1
                        ? UInt16(truncatingIfNeeded: opened)
                        : join == slots ? BoundaryMap.dropped : UInt16(truncatingIfNeeded: join)
                    opened += opens
                    joined += 1 - opens
                }
                let used = sources + joined * width
                isSound = isSound && opened == slots && (used % 8 == 0 || joins.peek(8 - used % 8) == 0)
            }
            count = sources
        }
        return isSound ? targets : nil
    }

    /// Puts the fitted numbers into the maps.
    private static func fitting(
        _ maps: [BoundaryMap], keys: (JSONCursor, [UInt8])?, values: (JSONCursor, [UInt8])?,
        biases: (JSONCursor, [UInt8])?
    ) throws -> [BoundaryMap] {
        guard keys != nil || values != nil || biases != nil else { return maps }
        let shared = maps.map { $0.isIdentity ? 0 : $0.isShared.count { $0 } }
        let slots = maps.map { $0.isIdentity ? 0 : $0.slotCount }
        for (member, count) in [
            (keys, shared.reduce(0, +)), (values, shared.reduce(0, +)), (biases, slots.reduce(0, +)),
        ] {
            guard let (cursor, bytes) = member, bytes.count != 2 * count else { continue }
            throw cursor.error(expected: "\(2 * count) bytes for these maps", found: "\(bytes.count) bytes")
        }
        func code(_ bytes: [UInt8], _ index: Int) -> Int16 {
            Int16(bitPattern: UInt16(bytes[2 * index]) | UInt16(bytes[2 * index + 1]) << 8)
        }
        var source = 0, slot = 0
        return maps.map { map in
            guard !map.isIdentity else { return map }
            let isShared = map.isShared
            func perSource(_ member: (JSONCursor, [UInt8])?) -> [Int16] {
                guard let (_, bytes) = member else { return [] }
                var next = source
                return isShared.indices.map {
                    guard isShared[$0] else {
                        return map.targets[$0] == BoundaryMap.dropped ? 0 : Int16(BoundaryMap.coefficientSteps)
                    }
                    defer { next += 1 }
                    return code(bytes, next)
                }
            }
            let keyCodes = perSource(keys), valueCodes = perSource(values)
            let biasCodes = biases.map { bytes in (0..<map.slotCount).map { code(bytes.1, slot + $0) } } ?? []
            source += isShared.count { $0 }
            slot += map.slotCount
            return BoundaryMap(
                targets: map.targets, slotCount: map.slotCount, keyCodes: keyCodes, valueCodes: valueCodes,
                biasCodes: biasCodes)
        }
    }
}
