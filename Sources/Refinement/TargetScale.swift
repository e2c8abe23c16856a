#if canImport(Glibc)
import Glibc
#elseif canImport(Darwin)
import Darwin
#endif

/// What a head's queries of one scale see in one sequence: the current map's share, which no plan changes, and the output
/// that the full cache gives. Outputs are in the metric of the residual stream (values times its factor).
struct TargetScale {
    /// `[n, D]` queries that are fitted to.
    let queries: Matrix
    /// `[D, n]` full-cache output.
    let output: Matrix
    /// `[D, n]` output of the current map alone, normalised over it.
    let currentOutput: Matrix
    /// `[n]` log of the sum of the current map's exponentials.
    let currentLogSum: [Float]

    /// - Parameter queryStep: every how many queries are taken.
    init(_ head: RecordedHead, history: Int, count: Int, queryStep: Int, measuredValues: Matrix) {
        let width = head.queries.columns
        let chosen = stride(from: 0, to: count, by: queryStep).map { history + $0 }
        queries = head.queries.gathering(chosen)
        let keys = head.keys.gathering(Array(0..<history + count))
        let logits = queries.times(transposed: keys)
        let total = history + count, n = chosen.count
        var full = Matrix(rows: n, columns: total), current = Matrix(rows: n, columns: count)
        var sums = [Float](repeating: 0, count: n)
        for row in 0..<n {
            var top = -Float.infinity
            for key in 0..<total { top = max(top, logits[row, key]) }
            var all: Float = 0, own: Float = 0
            for key in 0..<total {
                let e = expf(logits[row, key] - top)
                full[row, key] = e
                all += e
                if key >= history { own += e }
            }
            for key in 0..<total {
                if key >= history { current[row, key - history] = own > 0 ? full[row, key] / own : 0 }
                full[row, key] /= all
            }
            sums[row] = own > 0 ? logf(own) + top : -1e30
        }
        currentLogSum = sums
        let values = measuredValues.gathering(Array(0..<total)).transposed  // [D, total]
        output = values.times(transposed: full)
        var own = Matrix(rows: width, columns: count)
        for channel in 0..<width {
            for key in 0..<count { own[channel, key] = values[channel, history + key] }
        }
        currentOutput = own.times(transposed: current)
    }
}
