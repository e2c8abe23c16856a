import TensorKernels
import VernierCore

/// A small dense matrix, row-major, float32: what the fit of one cell works on.
struct Matrix {
    var rows: Int
    var columns: Int
    var values: [Float]

    init(rows: Int, columns: Int, repeating value: Float = 0) {
        self.rows = rows
        self.columns = columns
        values = Array(repeating: value, count: rows * columns)
    }

    /// Copies `rows` rows of `columns` values.
    init(rows: Int, columns: Int, copying start: UnsafePointer<Float>) {
        self.rows = rows
        self.columns = columns
        values = Array(UnsafeBufferPointer(start: start, count: rows * columns))
    }

    subscript(row: Int, column: Int) -> Float {
        get { values[row * columns + column] }
        set { values[row * columns + column] = newValue }
    }

    /// `A B^T` of `self` `[n, k]` and `other` `[m, k]`: `[n, m]`.
    func times(transposed other: Matrix) -> Matrix {
        var product = Matrix(rows: rows, columns: other.rows)
        guard rows > 0, other.rows > 0, columns > 0 else { return product }
        let layer = LinearLayer(
            weight: other.values, bias: nil, outputs: other.rows, inputs: columns, arithmetic: .float32)
        values.withUnsafeBufferPointer { from in
            product.values.withUnsafeMutableBufferPointer { to in
                if let from = from.baseAddress, let to = to.baseAddress { layer(from, rows: rows, into: to) }
            }
        }
        return product
    }

    /// `A^T`.
    var transposed: Matrix {
        var result = Matrix(rows: columns, columns: rows)
        for row in 0..<rows {
            for column in 0..<columns { result.values[column * rows + row] = values[row * columns + column] }
        }
        return result
    }

    /// The rows at `indices`.
    func gathering(_ indices: [Int]) -> Matrix {
        var result = Matrix(rows: indices.count, columns: columns)
        for (place, row) in indices.enumerated() {
            for column in 0..<columns { result.values[place * columns + column] = values[row * columns + column] }
        }
        return result
    }

    /// The rows of `self` and then those of `other`.
    func appending(_ other: Matrix) -> Matrix {
        var result = self
        result.rows += other.rows
        result.values += other.values
        return result
    }

    /// Adds `factor * other`, element by element.
    mutating func add(_ other: Matrix, times factor: Float = 1) {
        for index in values.indices { values[index] += factor * other.values[index] }
    }

    /// Multiplies by `other`, element by element.
    func times(elements other: Matrix) -> Matrix {
        var result = self
        for index in values.indices { result.values[index] *= other.values[index] }
        return result
    }

    /// Sum of each row.
    var rowSums: [Float] { (0..<rows).map { row in values[(row * columns)..<((row + 1) * columns)].reduce(0, +) } }
}
