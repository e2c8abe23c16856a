/// float32 numbers as whole numbers in the same order, and sorting by them.
enum SortedFloats {
    /// A whole number that rises with `x`; the two zeros get neighbouring ones.
    static func key(_ x: Float) -> Int64 {
        let bits = Int32(bitPattern: x.bitPattern)
        return Int64(bits ^ ((bits >> 31) & 0x7FFF_FFFF))
    }

    /// The float of a key.
    static func value(_ key: Int64) -> Float {
        let bits = Int32(truncatingIfNeeded: key)
        return Float(bitPattern: UInt32(bitPattern: bits ^ ((bits >> 31) & 0x7FFF_FFFF)))
    }

    /// The places 0 ..< `count` by ascending value, equal values (the two zeros too) by ascending place. The result lies
    /// in `scratch`.
    ///
    /// A radix sort, least significant digit first, over the span of the keys that there are.
    static func ascendingOrder(
        count: Int, scratch: ClassScratch, _ value: (_ place: Int) -> Float
    ) -> UnsafeMutablePointer<UInt64> {
        var lowest = UInt64(UInt32.max), highest = UInt64(0)
        var (from, to) = (scratch.pairs, scratch.sorted)
        for place in 0..<count {
            let biased = UInt64(bitPattern: key(value(place) + 0) &+ 0x8000_0000)  // -0 + 0 is +0
            from[place] = biased
            lowest = min(lowest, biased)
            highest = max(highest, biased)
        }
        for place in 0..<count { from[place] = (from[place] &- lowest) << 32 | UInt64(truncatingIfNeeded: place) }
        let span = count > 0 ? 64 - (highest - lowest).leadingZeroBitCount : 0
        let digits = (span + 10) / 11, width = digits > 0 ? (span + digits - 1) / digits : 0
        let mask = UInt64(1) << UInt64(width) - 1, bins = scratch.bins
        for digit in 0..<digits {
            let shift = UInt64(32 + digit * width)
            bins.update(repeating: 0, count: 1 << width)
            for place in 0..<count { bins[Int(from[place] >> shift & mask)] &+= 1 }
            var next: Int32 = 0
            for bin in 0..<(1 << width) { (bins[bin], next) = (next, next &+ bins[bin]) }
            for place in 0..<count {
                let bin = Int(from[place] >> shift & mask)
                to[Int(bins[bin])] = from[place]
                bins[bin] &+= 1
            }
            swap(&from, &to)
        }
        for place in 0..<count { from[place] &= 0xFFFF_FFFF }
        return from
    }
}
