/// The order in which the sources of one cell are pooled or dropped, cheapest first, and what each step costs.
struct MergeSequence: Sendable {
    /// One step, which leaves one slot less.
    struct Step: Sendable {
        /// The source that stays, or is dropped.
        let first: Int32
        /// The source that joins it; nil if `first` is dropped.
        let second: Int32?
        /// What the step costs, not less than the step before: a prefix of the steps is the cheapest of its length.
        let cost: Float
    }
    /// N.
    let sourceCount: Int
    /// The steps.
    let steps: [Step]

    /// The groups after the first `count` steps: a label for every source, nil for what is dropped.
    func labels(after count: Int) -> [Int?] {
        var parent = Array(0..<sourceCount)
        var dropped = [Bool](repeating: false, count: sourceCount)
        // Steps name the lowest source of a group, and the lower of two groups stays.
        for step in steps.prefix(count) {
            if let second = step.second {
                parent[Int(second)] = Int(step.first)
            } else {
                dropped[Int(step.first)] = true
            }
        }
        // A source's parent is lower, so its root is known by then.
        var roots: [Int?] = []
        roots.reserveCapacity(sourceCount)
        for source in 0..<sourceCount {
            roots.append(dropped[source] ? nil : parent[source] == source ? source : roots[parent[source]])
        }
        return roots
    }
}
