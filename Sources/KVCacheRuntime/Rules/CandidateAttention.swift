#if canImport(Glibc)
import Glibc
#elseif canImport(Darwin)
import Darwin
#endif

/// What chosen queries of the scale just finished attend to, among all candidates of a cell: history and current map.
///
/// Legend: Q chosen queries, T candidates. Inputs float32 as the cache reads them, products summed in Float64.
struct CandidateAttention {
    /// Q and T.
    let queryCount: Int
    let candidateCount: Int
    /// `[Q, T]` weights `exp(logit - largest logit of the row)`, above 0 and at most 1.
    let weights: [Double]
    /// `[Q]` sums of the weights of each row: the softmax denominators.
    let sums: [Double]

    /// Computes the attention of the queries with these numbers in the map; none if the candidates carry no queries or
    /// keys.
    init(_ candidates: SlotCandidates, queries chosen: [Int]) {
        let count = candidates.count, width = candidates.headWidth, history = candidates.historyCount
        guard let queries = candidates.queries, let keys = candidates.keys else {
            (queryCount, candidateCount, weights, sums) = (0, count, [], [])
            return
        }
        var weights = [Double](repeating: 0, count: chosen.count * count)
        var sums = [Double](repeating: 0, count: chosen.count)
        for (row, token) in chosen.enumerated() {
            let query = queries + token * width
            var largest = -Double.infinity
            for index in 0..<count {
                let key = keys[index]
                var logit = index < history ? Double(candidates.biases?[index] ?? 0) : 0
                for c in 0..<width { logit += Double(query[c]) * Double(key[c]) }
                weights[row * count + index] = logit
                largest = max(largest, logit)
            }
            for index in (row * count)..<((row + 1) * count) {
                weights[index] = exp(weights[index] - largest)
                sums[row] += weights[index]
            }
        }
        queryCount = chosen.count
        candidateCount = count
        self.weights = weights
        self.sums = sums
    }

    /// The softmax probability that query `row` gives candidate `index`.
    func probability(_ row: Int, _ index: Int) -> Double { weights[row * candidateCount + index] / sums[row] }
}
