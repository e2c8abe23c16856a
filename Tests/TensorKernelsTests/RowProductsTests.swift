import TestSupport
import Testing

@testable import TensorKernels

struct RowProductsTests {
    private static func dot(_ a: [Float], _ b: [Float]) -> Double { zip(a, b).reduce(0) { $0 + Double($1.0 * $1.1) } }

    private static func products(_ rows: RowProducts, of index: Int) -> [Float] {
        let buffer = FloatBuffer(count: rows.count)
        rows.products(of: index, into: buffer.pointer)
        return buffer.array
    }

    /// More than two panels of rows, changed and thinned out.
    @Test(arguments: [(1, 3), (32, 8), (33, 1), (70, 17)]) func followsItsRows(count: Int, width: Int) {
        var random = SplitMix64(seed: UInt64(count))
        var rows = (0..<count).map { _ in random.floats(width) }
        let table = RowProducts(rows.flatMap { $0 }, count: count)
        func check() {
            #expect(table.count == rows.count && table.width == width)
            for index in rows.indices {
                let found = Self.products(table, of: index)
                for (other, row) in rows.enumerated() {
                    #expect(abs(Double(found[other]) - Self.dot(rows[index], row)) < 1e-5)
                }
                #expect(found[index] == table.squares.pointer[index])
                let difference = zip(rows[index], rows[0]).map { $0 - $1 }
                #expect(abs(Double(table.distance(index, 0)) - Self.dot(difference, difference)) < 1e-5)
            }
        }
        check()
        let last = count - 1
        table.combine(last, times: 0.25, 0, times: 0.5)
        rows[last] = zip(rows[last], rows[0]).map { 0.25 * $0 + 0.5 * $1 }
        check()
        let kept = rows.indices.filter { $0 % 3 != 1 }
        table.keep(kept)
        rows = kept.map { rows[$0] }
        check()
    }

    @Test func emptyRowsHaveNoProducts() {
        let table = RowProducts([], count: 40)
        table.combine(3, times: 1, 4, times: 1)
        #expect(Self.products(table, of: 3) == [Float](repeating: 0, count: 40))
        #expect(table.distance(1, 2) == 0 && RowProducts([], count: 0).count == 0)
    }
}
