/// One cell's map as its bits say, read in one pass: profiles have ten million sources, and are read before the first
/// token.
struct PackedMap {
    /// The slot of each source, or ``BoundaryMap/dropped``.
    let targets: [UInt16]
    /// History positions of each slot; empty: one each.
    let members: [Int32]
    /// How many sources share a slot with another.
    let sharedCount: Int
    /// How many sources each slot has; behind them what was dropped.
    private let sourceCounts: [UInt32]

    /// Reads the bits that begin at the byte `start`; nil if they are no map of this form, or do not end within `packed`.
    init?(
        _ packed: [UInt8], at start: Int, sources: Int, slots: Int, width: Int, oldSlots: Int, oldMembers: [Int32]
    ) {
        let byteCount = (sources + (sources - slots) * width + 7) / 8
        guard slots < sources, width <= 16, oldSlots <= sources, start + byteCount <= packed.count,
            oldMembers.isEmpty || oldMembers.count == oldSlots
        else { return nil }
        // Loads of eight bytes may pass the cell's end, but not the end of the bytes.
        var tail: [UInt8] = []
        if start + byteCount + 8 > packed.count {
            tail = packed[start..<start + byteCount] + [UInt8](repeating: 0, count: 8)
        }
        // Members in the lower half, sources in the upper one; any code of `width` bits is a place.
        var sums = [UInt64](repeating: 0, count: 1 << width)
        var isSound = true
        targets = [UInt16](unsafeUninitializedCapacity: sources) { targets, count in
            (tail.isEmpty ? packed : tail).withUnsafeBytes { bytes in
                sums.withUnsafeMutableBufferPointer { sums in
                    oldMembers.withUnsafeBufferPointer { oldMembers in
                        guard let bits = bytes.baseAddress, let sums = sums.baseAddress, let to = targets.baseAddress
                        else { return }
                        isSound = Self.unpack(
                            bits + (tail.isEmpty ? start : 0), sources: sources, slots: slots, width: width,
                            oldMembers: oldMembers, sums: sums, into: to)
                    }
                }
            }
            count = sources
        }
        guard isSound else { return nil }
        members =
            sums[0..<slots].allSatisfy { UInt32(truncatingIfNeeded: $0) == 1 }
            ? [] : sums[0..<slots].map { Int32(truncatingIfNeeded: $0) }
        let sourceCounts = sums[0...slots].map { UInt32(truncatingIfNeeded: $0 >> 32) }
        sharedCount = sourceCounts[0..<slots].reduce(0) { $0 + ($1 > 1 ? Int($1) : 0) }
        self.sourceCounts = sourceCounts
    }

    /// Without a branch on what is read: which way a source goes is noise to a predictor.
    private static func unpack(
        _ bits: UnsafeRawPointer, sources: Int, slots: Int, width: Int, oldMembers: UnsafeBufferPointer<Int32>,
        sums: UnsafeMutablePointer<UInt64>, into targets: UnsafeMutablePointer<UInt16>
    ) -> Bool {
        // As many joins as there is room for, whatever the bits are.
        guard count(bits, sources) == slots else { return false }
        let mask = 1 &<< width &- 1, one = UInt64(1) &<< 32
        var join = sources, opened = 0, wrong = 0
        @inline(__always) func take(_ source: Int, _ members: UInt64) {
            let opens = Int(bits.load(fromByteOffset: source &>> 3, as: UInt8.self)) &>> (source & 7) & 1
            let word = bits.loadUnaligned(fromByteOffset: join &>> 3, as: UInt64.self).littleEndian
            let joined = Int(truncatingIfNeeded: word &>> UInt64(truncatingIfNeeded: join & 7)) & mask
            let target = opens == 1 ? opened : joined
            let isDropped = target == slots && opens == 0
            // A slot that is opened already, or none; or the next one.
            wrong |= opens == 0 && joined >= opened && !isDropped ? 1 : 0
            targets[source] = isDropped ? BoundaryMap.dropped : UInt16(truncatingIfNeeded: target)
            sums[target & mask] &+= members | one
            opened &+= opens
            join &+= opens == 1 ? 0 : width
        }
        if let old = oldMembers.baseAddress {
            for source in 0..<oldMembers.count { take(source, UInt64(UInt32(bitPattern: old[source]))) }
        }
        for source in oldMembers.count..<sources { take(source, 1) }
        // Zeros up to the end of the last byte.
        let rest = bits.load(fromByteOffset: (join - 1) >> 3, as: UInt8.self)
        let isPadded = join & 7 == 0 || rest >> UInt8(join & 7) == 0
        return wrong == 0 && isPadded
    }

    /// How many of the first `count` bits are set.
    private static func count(_ bits: UnsafeRawPointer, _ count: Int) -> Int {
        var set = 0
        for word in 0..<count / 64 {
            set += bits.loadUnaligned(fromByteOffset: 8 * word, as: UInt64.self).nonzeroBitCount
        }
        for bit in count / 64 * 64..<count {
            set += Int(bits.load(fromByteOffset: bit >> 3, as: UInt8.self)) >> (bit & 7) & 1
        }
        return set
    }

    /// One number a source from one number a source that shares its slot, in order; sources that are alone get `alone`,
    /// dropped ones zero. All are zero if fewer than enough are `available`.
    @inline(__always)
    func spread<Code: FixedWidthInteger>(alone: Code, available: Int, _ code: (Int) -> Code) -> [Code] {
        guard available >= sharedCount, sharedCount > 0 else {
            return targets.map { available < sharedCount || $0 == BoundaryMap.dropped ? 0 : alone }
        }
        let slots = sourceCounts.count - 1, last = sharedCount - 1
        // 0 alone, 1 shared, 2 dropped.
        var kinds = sourceCounts.map { UInt8($0 > 1 ? 1 : 0) }
        kinds[slots] = 2
        return [Code](unsafeUninitializedCapacity: targets.count) { codes, count in
            targets.withUnsafeBufferPointer { targets in
                kinds.withUnsafeBufferPointer { kinds in
                    var next = 0
                    for source in targets.indices {
                        let kind = kinds[min(Int(targets[source]), slots)]
                        // Read whether it is needed or not: no branch.
                        let shared = code(min(next, last))
                        codes[source] = kind == 1 ? shared : kind == 0 ? alone : 0
                        next &+= Int(kind & 1)
                    }
                }
            }
            count = targets.count
        }
    }
}
