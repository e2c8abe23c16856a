import CKernels
import TestSupport
import Testing

@testable import TensorKernels

/// The kernels of calibration against their definitions, and the same bits on every path.
@Suite(.serialized) struct MeasureKernelTests {
    private static let paths = 0...vk_isa_best()

    /// The sums of the largest of some rows on one path, and what stands behind the room that the kernel may use.
    private func largestSums(
        _ rows: [[Float]], _ counts: [Int32], weights: [Float], path: Int32, from start: Double = 0.5
    ) -> (
        sums: [Double], room: Float
    ) {
        defer { vk_isa_force(vk_isa_best()) }
        vk_isa_force(path)
        let count = rows[0].count, rounded = Int(VK_ROWS_TOGETHER) * ((count + 15) & ~15)
        let x = FloatBuffer(rows.flatMap { $0 }), room = FloatBuffer(count: rounded + 1)
        room.pointer[rounded] = 77
        var sums = [Double](repeating: start, count: counts.count)
        let places: [UnsafePointer<Float>?] = rows.indices.map { UnsafePointer(x.pointer + $0 * count) }
        withExtendedLifetime(x) {
            vk_add_largest(places, weights, rows.count, count, counts, counts.count, &sums, room.pointer)
        }
        return (sums, room.pointer[rounded])
    }

    /// Rows as attention gives them, and the shapes that a selection may stumble over.
    private func rows(_ count: Int) -> [(name: String, values: [Float])] {
        var random = SplitMix64(seed: UInt64(count))
        let logits = random.floats(count, in: -60 ... -1)
        let steep = logits.map { Float(sign: .plus, exponent: Int($0), significand: 1 + random.float(in: 0...0.99)) }
        return [
            ("random", random.floats(count, in: 0...1)), ("steep", steep), ("ascending", steep.sorted()),
            ("descending", steep.sorted(by: >)), ("zero", Array(repeating: 0, count: count)),
            ("equal", Array(repeating: 1 / Float(count), count: count)),
            ("tied", (0..<count).map { _ in Float(random.integer(in: 0..<4)) / 8 }),
            ("denormal", (0..<count).map { _ in Float(bitPattern: UInt32(random.integer(in: 0..<40))) }),
            ("one", (0..<count).map { $0 == count / 2 ? 1 : 0 }),
            ("two", (0..<count).map { $0 == 0 || $0 == count - 1 ? Float(0.5).nextUp : 0.25 }),
        ]
    }

    @Test func sumsOfTheLargestAreThoseOfSortedNumbersOnEveryPath() throws {
        let counts: [[Int32]] = [[1, 4, 16, 64], [1], [2, 15, 17, 63, 65, 300], [5000]]
        try withEvery("numbers", in: [1, 2, 15, 16, 17, 63, 64, 65, 200, 255, 1024, 1025, 2000]) { count in
            for (name, x) in rows(count) {
                let sorted = x.sorted(by: >)
                for counts in counts {
                    let found = Self.paths.map { largestSums([x], counts, weights: [0.25], path: $0) }
                    for (path, result) in found.enumerated() {
                        #expect(result.room == 77, "\(name), path \(path) leaves what is behind its room")
                        #expect(
                            result.sums.map(\.bitPattern) == found[0].sums.map(\.bitPattern), "\(name), path \(path)")
                    }
                    for (place, keep) in counts.enumerated() {
                        let sum = sorted.prefix(Int(keep)).reduce(0.0) { $0 + Double($1) }
                        // Float64 sums of at most 2000 numbers in another order.
                        #expect(
                            abs(found[0].sums[place] - (0.5 + 0.25 * sum)) <= 1e-13 * (0.5 + sum),
                            "\(name), largest \(keep): \(found[0].sums[place])")
                    }
                }
            }
        }
    }

    /// However many rows are searched side by side, each counts as it does alone, in their order.
    @Test func rowsTogetherGiveTheBitsOfRowsAlone() throws {
        let counts: [Int32] = [1, 4, 16, 64]
        try withEvery("numbers", in: [3, 40, 150, 1500]) { count in
            let all = rows(count).map(\.values), weights = all.indices.map { 1 / Float($0 + 3) }
            for path in Self.paths {
                for taken in 1...all.count {
                    var expected = [Double](repeating: 0, count: counts.count)
                    for (row, weight) in zip(all, weights).prefix(taken) {
                        let alone = largestSums([row], counts, weights: [1], path: path, from: 0).sums
                        for place in counts.indices { expected[place] += Double(weight) * alone[place] }
                    }
                    let together = largestSums(
                        Array(all.prefix(taken)), counts, weights: weights, path: path, from: 0)
                    #expect(together.room == 77 && together.sums == expected, "\(taken) rows, path \(path)")
                }
            }
        }
    }

    /// Weights that are broken make such rows; they are found by other means, but must not stop the kernel.
    @Test func notANumberNeitherStopsTheSelectionNorLeavesItsRoom() {
        for bad in [Float.nan, -Float.nan, .infinity, -.infinity, -1] {
            for x in [Array(repeating: bad, count: 40), [bad] + rows(1100)[0].values, rows(100)[0].values + [bad]] {
                for path in Self.paths {
                    #expect(largestSums([x, x], [1, 4, 16, 64], weights: [1, 1], path: path).room == 77)
                }
            }
        }
    }

    @Test func sumsOfRowsThatLieApartAreInTheirOrder() throws {
        defer { vk_isa_force(vk_isa_best()) }
        try withEvery("numbers", in: [1, 15, 16, 50]) { count in
            var random = SplitMix64(seed: UInt64(count))
            let rows = (0..<3).map { _ in FloatBuffer(random.floats(count)) }, start = random.floats(count)
            let expected = (0..<count).map { index in rows.reduce(start[index]) { $0 + $1.pointer[index] } }
            for path in Self.paths {
                vk_isa_force(path)
                var sums = start
                Kernels.addEach(rows.map { UnsafePointer($0.pointer) }, count: count, to: &sums)
                expectSame(sums, expected, what: "path \(path)")
            }
        }
    }

    @Test func quadraticFormsAreTheirDefinitionBitForBitOnEveryPath() throws {
        defer { vk_isa_force(vk_isa_best()) }
        try withEvery("rows", in: [1, 7, 8, 9, 20]) { rows in
            try withEvery("width", in: [1, 4, 16, 30, 33]) { d in
                var random = SplitMix64(seed: UInt64(rows * 100 + d))
                let x = random.floats(rows * d), y = random.floats(rows * d)
                let matrix = random.floats(d * d).map(Double.init)
                let buffer = FloatBuffer(y)
                for other in [nil, y] {
                    let expected = (0..<rows).map { row -> Double in
                        let z = (0..<d).map { i -> Double in
                            let subtracted: Float = other.map { $0[row * d + i] } ?? 0
                            return Double(x[row * d + i]) - Double(subtracted)
                        }
                        var form = 0.0
                        for i in 0..<d {
                            var sum = 0.0
                            for j in 0..<d { sum += matrix[i * d + j] * z[j] }
                            form += z[i] * sum
                        }
                        return form
                    }
                    for path in Self.paths {
                        vk_isa_force(path)
                        var forms = [Double](repeating: .nan, count: rows)
                        var room = [Double](repeating: .nan, count: Kernels.quadraticFormRoom(width: d))
                        Kernels.quadraticForms(
                            x, minus: other == nil ? nil : UnsafePointer(buffer.pointer), rows: rows, width: d,
                            matrix: matrix, into: &forms, room: &room)
                        expectSame(forms, expected, what: "path \(path), difference \(other != nil)")
                    }
                }
            }
        }
    }

    @Test func gramsAreTheirDefinitionBitForBitOnEveryPath() throws {
        defer { vk_isa_force(vk_isa_best()) }
        try withEvery("width", in: [1, 5, 8, 16, 30, 33]) { d in
            let rows = 19, stride = d + 3
            var random = SplitMix64(seed: UInt64(d))
            let x = random.floats(rows * stride), weights = random.floats(rows).map(Double.init)
            let start = random.floats(d * d).map(Double.init)
            for factors in [nil, weights] {
                var expected = start
                for row in 0..<rows {
                    for i in 0..<d {
                        let left = (factors?[row] ?? 1) * Double(x[row * stride + i])
                        for j in 0..<d { expected[i * d + j] += left * Double(x[row * stride + j]) }
                    }
                }
                for path in Self.paths {
                    vk_isa_force(path)
                    var gram = start
                    if let factors {
                        Kernels.addGram(x, rows: rows, width: d, stride: stride, weights: factors, to: &gram)
                    } else {
                        Kernels.addGram(x, rows: rows, width: d, stride: stride, to: &gram)
                    }
                    expectSame(gram, expected, what: "path \(path), weights \(factors != nil)")
                }
            }
        }
    }
}
