/// The Cholesky factor of a symmetric positive definite matrix, for small dense systems. Float64.
///
/// - Complexity: O(n^3) to make, O(n^2) for each right-hand side.
package struct CholeskyFactor: Sendable {
    private let order: Int
    /// The factor L with `L L^T = matrix`, `[order, order]` row-major; zeros above the diagonal.
    package private(set) var lower: [Double]

    /// Factors `matrix` `[order, order]` of which the lower triangle is read; nil unless it is positive definite.
    package init?(_ matrix: [Double], order: Int) {
        self.order = order
        lower = matrix
        let isDefinite = lower.withUnsafeMutableBufferPointer { lower -> Bool in
            for column in 0..<order {
                for row in 0..<column { lower[row * order + column] = 0 }
                for row in column..<order {
                    var sum = lower[row * order + column]
                    for k in 0..<column { sum -= lower[row * order + k] * lower[column * order + k] }
                    if row == column {
                        guard sum > 0, sum.isFinite else { return false }
                        lower[row * order + column] = sum.squareRoot()
                    } else {
                        lower[row * order + column] = sum / lower[column * order + column]
                    }
                }
            }
            return true
        }
        guard isDefinite else { return nil }
    }

    /// Replaces `vector` `[order]` by the solution x of `matrix x = vector`.
    package func solve(_ vector: inout [Double]) {
        for row in 0..<order {
            var sum = vector[row]
            for k in 0..<row { sum -= lower[row * order + k] * vector[k] }
            vector[row] = sum / lower[row * order + row]
        }
        for row in stride(from: order - 1, through: 0, by: -1) {
            var sum = vector[row]
            for k in (row + 1)..<order { sum -= lower[k * order + row] * vector[k] }
            vector[row] = sum / lower[row * order + row]
        }
    }
}
