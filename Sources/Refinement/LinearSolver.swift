/// Solves symmetric positive definite systems by Cholesky's method, in Float64.
enum LinearSolver {
    /// x with `A x = b`, `A` `[n, n]` row-major (only its lower half is read); nil if A is not positive definite.
    static func solve(_ matrix: [Double], _ rightHandSide: [Double]) -> [Double]? {
        let n = rightHandSide.count
        var l = matrix
        var x = rightHandSide
        let isDefinite = l.withUnsafeMutableBufferPointer { l -> Bool in
            for column in 0..<n {
                let own = column * n
                var diagonal = l[own + column]
                for k in 0..<column { diagonal -= l[own + k] * l[own + k] }
                guard diagonal > 0, diagonal.isFinite else { return false }
                let root = diagonal.squareRoot()
                l[own + column] = root
                for row in column + 1..<max(n, column + 1) {
                    let other = row * n
                    var sum = l[other + column]
                    for k in 0..<column { sum -= l[other + k] * l[own + k] }
                    l[other + column] = sum / root
                }
            }
            return true
        }
        guard isDefinite else { return nil }
        for row in 0..<n {
            for k in 0..<row { x[row] -= l[row * n + k] * x[k] }
            x[row] /= l[row * n + row]
        }
        for row in stride(from: n - 1, through: 0, by: -1) {
            for k in row + 1..<max(n, row + 1) { x[row] -= l[k * n + row] * x[k] }
            x[row] /= l[row * n + row]
        }
        return x
    }

    /// The lower Cholesky factor of `A` `[n, n]`, row-major; `A` is positive semidefinite, and a part in 1e8 of its mean
    /// diagonal is added so that it is definite.
    static func factor(_ matrix: [Double], size n: Int) -> [Float] {
        var l = matrix
        let mean = (0..<n).reduce(0) { $0 + l[$1 * n + $1] } / Double(max(n, 1))
        for column in 0..<n {
            var diagonal = l[column * n + column] + 1e-8 * mean + 1e-30
            for k in 0..<column { diagonal -= l[column * n + k] * l[column * n + k] }
            let root = max(diagonal, 1e-12 * mean + 1e-30).squareRoot()
            l[column * n + column] = root
            for row in column + 1..<max(n, column + 1) {
                var sum = l[row * n + column]
                for k in 0..<column { sum -= l[row * n + k] * l[column * n + k] }
                l[row * n + column] = sum / root
            }
            for row in 0..<column { l[row * n + column] = 0 }
        }
        return l.map { Float($0) }
    }
}
