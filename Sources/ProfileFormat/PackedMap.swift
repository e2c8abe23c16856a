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
        @inline(__always) func take(_ source: Int, _ opens: Int, _ members: UInt64) {
            let word = bits.loadUnaligned(fromByteOffset: join &>> 3, as: UInt64.self).littleEndian
            let joined = Int(truncatingIfNeeded: word &>> UInt64(truncatingIfNeeded: join & 7)) & mask
            let target = joined ^ (joined ^ opened) & (0 &- opens)
            // What opens a slot is never told to be dropped: it is one of those that were counted.
            let dropped = target == slots ? -1 : 0
            opened &+= opens
            // Negative beyond a slot that is open by now.
            wrong |= (opened &- 1 &- target) & ~dropped
            targets[source] = UInt16(truncatingIfNeeded: target | dropped)
            sums[target] &+= members | one
            join &+= width & (opens &- 1)
        }
        @inline(__always) func takeAll(_ range: Range<Int>, _ members: (Int) -> UInt64) {
            for first in stride(from: range.lowerBound, to: range.upperBound, by: 32) {
                // 32 bits from any place within a byte.
                var opens = bits.loadUnaligned(fromByteOffset: first &>> 3, as: UInt64.self).littleEndian
                opens &>>= UInt64(truncatingIfNeeded: first & 7)
                for source in first..<min(first &+ 32, range.upperBound) {
                    take(source, Int(truncatingIfNeeded: opens & 1), members(source))
                    opens &>>= 1
                }
            }
        }
        if let old = oldMembers.baseAddress {
            takeAll(0..<oldMembers.count) { UInt64(UInt32(bitPattern: old[$0])) }
        }
        takeAll(oldMembers.count..<sources) { _ in 1 }
        // Zeros up to the end of the last byte.
        let rest = bits.load(fromByteOffset: (join - 1) >> 3, as: UInt8.self)
        let isPadded = join & 7 == 0 || rest >> UInt8(join & 7) == 0
        return wrong >= 0 && isPadded
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
        guard available >= sharedCount, sharedCount > 0 else { return spread(alone: alone, available: available) }
        return [Code](unsafeUninitializedCapacity: targets.count) { codes, count in
            walk(alone: alone) { source, next, mask, other in codes[source] = code(next) & mask | other }
            count = targets.count
        }
    }

    /// The same for two numbers a source, in one pass.
    @inline(__always)
    func spread<Code: FixedWidthInteger>(
        alone: Code, available: Int, _ first: (Int) -> Code, _ second: (Int) -> Code
    ) -> ([Code], [Code]) {
        guard available >= sharedCount, sharedCount > 0 else {
            let codes = spread(alone: alone, available: available)
            return (codes, codes)
        }
        var firsts: [Code] = []
        let seconds = [Code](unsafeUninitializedCapacity: targets.count) { seconds, secondCount in
            firsts = [Code](unsafeUninitializedCapacity: targets.count) { firsts, firstCount in
                walk(alone: alone) { source, next, mask, other in
                    firsts[source] = first(next) & mask | other
                    seconds[source] = second(next) & mask | other
                }
                firstCount = targets.count
            }
            secondCount = targets.count
        }
        return (firsts, seconds)
    }

    /// Where no number is needed, or too few are available.
    private func spread<Code: FixedWidthInteger>(alone: Code, available: Int) -> [Code] {
        targets.map { available < sharedCount || $0 == BoundaryMap.dropped ? 0 : alone }
    }

    /// Hands out, source by source, the place of its number (of any, if it has none), a mask for that number and what
    /// stands in its stead where the mask is zero: no branch on what is noise to a predictor.
    @inline(__always)
    private func walk<Code: FixedWidthInteger>(
        alone: Code, _ take: (_ source: Int, _ next: Int, _ mask: Code, _ other: Code) -> Void
    ) {
        let slots = sourceCounts.count - 1, last = sharedCount - 1
        var masks = sourceCounts.map { $0 > 1 ? ~Code(0) : 0 }, others = sourceCounts.map { $0 > 1 ? 0 : alone }
        (masks[slots], others[slots]) = (0, 0)  // dropped
        targets.withUnsafeBufferPointer { targets in
            masks.withUnsafeBufferPointer { masks in
                others.withUnsafeBufferPointer { others in
                    var next = 0
                    for source in targets.indices {
                        let slot = min(Int(targets[source]), slots), mask = masks[slot]
                        take(source, min(next, last), mask, others[slot])
                        next &+= Int(truncatingIfNeeded: mask & 1)
                    }
                }
            }
        }
    }
}
