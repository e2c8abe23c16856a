extension SlotSelector {
    /// Keeps the `newest` last candidates and, of the others, those with the highest score, ties to the lowest index.
    func keepNewest(
        _ newest: Int, of count: Int, into kept: UnsafeMutableBufferPointer<Int32>, score: (Int) -> Double
    ) {
        keepHighest(count, into: kept) { $0 >= count - newest ? .infinity : score($0) }
    }

    /// Weights of 1 for the last `window` of `count` queries, 0 for the others.
    func lastQueryWeights(_ window: Int, of count: Int) -> [Float] {
        (0..<count).map { $0 >= count - window ? 1 : 0 }
    }
}
