/// Turns wishes into whole numbers within bounds that sum to a given total.
enum Settlement {
    /// The wishes, cut to `0...bound`, then raised or lowered evenly until they sum to `total`.
    ///
    /// Each round gives (or takes) the same whole number of tokens to every cell that has room; what does not divide
    /// goes, one token each, to the cells of lowest index. Wishes that are within bounds and sum to `total` come out
    /// unchanged.
    ///
    /// - Precondition: there are as many bounds as wishes, none negative, and `total` is from 0 to their sum.
    static func settle(wishes: [Int], bounds: [Int], total: Int) -> [Int] {
        precondition(wishes.count == bounds.count, "there are as many bounds as wishes")
        precondition(
            total >= 0 && total <= bounds.reduce(0, +) && bounds.allSatisfy { $0 >= 0 },
            "total is from 0 to the sum of the bounds, none negative")
        var tokens = zip(wishes, bounds).map { min(max($0, 0), $1) }
        var missing = total - tokens.reduce(0, +)
        while missing != 0 {
            let room = tokens.indices.map { missing > 0 ? bounds[$0] - tokens[$0] : tokens[$0] }
            let open = room.indices.filter { room[$0] > 0 }
            let share = max(abs(missing) / open.count, 1)
            for index in open.prefix(abs(missing)) {
                let step = min(share, room[index]) * missing.signum()
                tokens[index] += step
            }
            missing = total - tokens.reduce(0, +)
        }
        return tokens
    }
}
