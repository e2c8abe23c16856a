import ProfileFormat

@testable import KVCacheRuntime

/// Candidates of scale 2 (3 x 3) of the schedule 1 2 3 4, with the 5 tokens of scales 0 and 1 as history: 14 in all, or
/// others by hand. What is empty is not handed to the rule.
struct HandmadeCandidates {
    var schedule: ScaleSchedule
    var scale = 2
    var sequence = 0
    var head = 0
    var historyCount = 5
    var count = 14
    var width: Int
    var mass: [Double] = []
    var norms: [Float] = []
    var queries: [Float] = []
    var rawQueries: [Float] = []
    var keys: [Float] = []
    var values: [Float] = []
    var biases: [Float] = []

    init(width: Int = 1) throws {
        schedule = try ScaleSchedule(
            grids: [1, 2, 3, 4].map { .init(height: $0, width: $0) }, ropeGrid: .init(height: 4, width: 4))
        self.width = width
    }

    /// Calls `body` with the candidates.
    func whole<Result>(_ body: (SlotCandidates) -> Result) -> Result {
        let positions = (0..<Int32(count)).map { $0 }
        return positions.withUnsafeBufferPointer { positions in
            Self.pointers([norms, queries, rawQueries, keys, values, biases]) { floats in
                mass.withUnsafeBufferPointer { mass in
                    body(
                        SlotCandidates(
                            scale: scale, branch: 0, layer: 0, head: head, historyCount: historyCount,
                            positions: positions, mass: mass.isEmpty ? nil : mass.baseAddress, valueNorms: floats[0],
                            headWidth: width, queries: floats[1],
                            keys: floats[3].map { CandidateRows(rows: $0, width: width) },
                            values: floats[4].map { CandidateRows(rows: $0, width: width) }, biases: floats[5],
                            schedule: schedule, sequence: sequence, rawQueries: floats[2]))
                }
            }
        }
    }

    /// What `rule` keeps.
    func kept(_ rule: any SlotSelector, _ count: Int) -> [Int32] {
        var result = [Int32](repeating: -1, count: count)
        result.withUnsafeMutableBufferPointer { result in whole { rule.select($0, into: result) } }
        return result
    }

    /// Calls `body` with pointers to the arrays; nil for an empty one.
    private static func pointers<Result>(
        _ arrays: [[Float]], _ body: ([UnsafePointer<Float>?]) -> Result
    ) -> Result {
        func next(_ index: Int, _ found: [UnsafePointer<Float>?]) -> Result {
            guard index < arrays.count else { return body(found) }
            return arrays[index].withUnsafeBufferPointer {
                next(index + 1, found + [$0.isEmpty ? nil : $0.baseAddress])
            }
        }
        return next(0, [])
    }
}
