import CKernels

/// Rows of numbers whose dot products with one another are asked for again and again while single rows change.
///
/// Packed once, as the weights of ``LinearLayer`` are: float32, ascending order, the same bits on every instruction set.
/// Not safe to use from several threads at once.
public final class RowProducts {
    /// Numbers in a row; may be 0, then all products are 0.
    public let width: Int
    /// How many rows there are.
    public private(set) var count: Int
    /// The product of each row with itself.
    public let squares: FloatBuffer
    private let panels: FloatBuffer
    private let row: FloatBuffer
    private let block: FloatBuffer
    private static let lanes = 32

    /// Copies `rows` `[count, width]`; the width follows from the count.
    /// - Precondition: the rows are of equal width.
    public init(_ rows: [Float], count: Int) {
        precondition(count > 0 ? rows.count % count == 0 : rows.isEmpty, "rows are of equal width")
        width = count > 0 ? rows.count / count : 0
        self.count = count
        squares = FloatBuffer.zeros(count: count)
        panels = FloatBuffer(count: vk_packed_count(count, width))
        row = FloatBuffer(count: width)
        block = FloatBuffer(count: Self.lanes * Self.lanes)
        guard width > 0 else { return }
        rows.withUnsafeBufferPointer { rows in
            guard let start = rows.baseAddress else { return }
            vk_pack(start, width, count, width, panels.pointer)
            for first in stride(from: 0, to: count, by: Self.lanes) {
                let lanes = min(Self.lanes, count - first)
                vk_gemm(
                    start + first * width, width, lanes, width, panels.pointer + first * width, lanes, nil,
                    block.pointer, Self.lanes, 0, 1)
                for lane in 0..<lanes { squares.pointer[first + lane] = block.pointer[lane * Self.lanes + lane] }
            }
        }
    }

    /// The products of one row with all, `[count]`.
    public func products(of index: Int, into y: UnsafeMutablePointer<Float>) {
        guard width > 0 else { return y.update(repeating: 0, count: count) }
        gather(index)
        vk_gemm(
            row.pointer, width, 1, width, panels.pointer, count, nil, y, count, 0,
            (count + Self.lanes - 1) / Self.lanes)
    }

    /// The products of any rows `x` `[rows, width]` with all, `[rows, count]`.
    public func products(of x: UnsafePointer<Float>, rows: Int, into y: UnsafeMutablePointer<Float>) {
        guard width > 0 else { return y.update(repeating: 0, count: rows * count) }
        vk_gemm(
            x, width, rows, width, panels.pointer, count, nil, y, count, 0, (count + Self.lanes - 1) / Self.lanes)
    }

    /// The squared distance of two rows.
    public func distance(_ first: Int, _ second: Int) -> Float {
        let a = start(first), b = start(second)
        var sum: Float = 0
        for k in 0..<width {
            let difference = a[k * Self.lanes] - b[k * Self.lanes]
            sum += difference * difference
        }
        return sum
    }

    /// Makes row `first` the sum of `p` times itself and `q` times row `second`.
    public func combine(_ first: Int, times p: Float, _ second: Int, times q: Float) {
        guard width > 0 else { return }
        let a = start(first), b = start(second)
        for k in 0..<width { a[k * Self.lanes] = p * a[k * Self.lanes] + q * b[k * Self.lanes] }
        gather(first)
        let panel = first / Self.lanes
        vk_gemm(
            row.pointer, width, 1, width, panels.pointer + panel * Self.lanes * width,
            min(Self.lanes, count - panel * Self.lanes), nil, block.pointer, Self.lanes, 0, 1)
        squares.pointer[first] = block.pointer[first % Self.lanes]
    }

    /// Keeps the rows with these ascending numbers.
    public func keep(_ rows: [Int]) {
        for (place, old) in rows.enumerated() where place != old {
            let from = start(old), to = start(place)
            for k in 0..<width { to[k * Self.lanes] = from[k * Self.lanes] }
            squares.pointer[place] = squares.pointer[old]
        }
        count = rows.count
    }

    /// A row's first number; the others follow a panel's width apart.
    private func start(_ index: Int) -> UnsafeMutablePointer<Float> {
        panels.pointer + index / Self.lanes * Self.lanes * width + index % Self.lanes
    }

    private func gather(_ index: Int) {
        let from = start(index)
        for k in 0..<width { row.pointer[k] = from[k * Self.lanes] }
    }
}
