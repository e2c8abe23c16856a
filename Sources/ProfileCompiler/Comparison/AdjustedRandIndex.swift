/// How far two ways to group the same things agree, corrected for chance: 1 for the same groups, about 0 for unrelated
/// ones, below 0 for less agreement than chance gives.
///
/// With `n_ij` things in group i of one and j of the other, `a_i` and `b_j` the groups' sizes, pairs(x) = x (x-1) / 2:
///
///     (sum pairs(n_ij) - E) / ((sum pairs(a_i) + sum pairs(b_j)) / 2 - E),  E = sum pairs(a_i) sum pairs(b_j) / pairs(n)
///
/// Where both leave everything apart, or both put everything together, they are the same and the index is 1.
///
/// Source: Hubert and Arabie 1985, Journal of Classification 2, equation 5.
enum AdjustedRandIndex {
    /// The index of two labellings of the same things.
    ///
    /// - Precondition: both have as many labels.
    static func value(_ left: [Int], _ right: [Int]) -> Double {
        precondition(left.count == right.count, "both have as many labels")
        struct Pair: Hashable {
            let left: Int
            let right: Int
        }
        var together: [Pair: Int] = [:], ofLeft: [Int: Int] = [:], ofRight: [Int: Int] = [:]
        for (a, b) in zip(left, right) {
            together[Pair(left: a, right: b), default: 0] += 1
            ofLeft[a, default: 0] += 1
            ofRight[b, default: 0] += 1
        }
        // Whole numbers: sums do not depend on the order of a dictionary.
        func pairs(_ counts: some Sequence<Int>) -> Int { counts.reduce(0) { $0 + $1 * ($1 - 1) / 2 } }
        let all = pairs([left.count])
        let (both, a, b) = (pairs(together.values), pairs(ofLeft.values), pairs(ofRight.values))
        guard all > 0 else { return 1 }
        let expected = Double(a) * Double(b) / Double(all)
        let most = Double(a + b) / 2
        return most == expected ? 1 : (Double(both) - expected) / (most - expected)
    }
}
