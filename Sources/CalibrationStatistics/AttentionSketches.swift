import VernierCore

/// The sketches of one layout: of one prompt, or summed over prompts. Empty arrays if the layout has no signs.
///
/// Each position's R numbers lie together. ``layout`` says where: row p of a cell's ``attention`` and ``key`` is row
/// `positions(branch:layer:head:scale:).lowerBound + p`, a row of ``value`` likewise by `finalPositions(branch:layer:head:)`.
public struct AttentionSketches: Sendable, Equatable {
    /// Where each number lies.
    public let layout: StatisticsLayout
    /// How many prompts the sums hold.
    public var promptCount: Int
    /// ``Sketch/attention`` `[G, L, H, P, R]`.
    public var attention: [Float]
    /// ``Sketch/key`` `[G, L, H, P, R]`.
    public var key: [Float]
    /// ``Sketch/value`` `[G, L, H, H_{K-1}, R]`.
    public var value: [Float]

    /// Zeros, of `promptCount` prompts.
    public init(layout: StatisticsLayout, promptCount: Int = 0) {
        self.layout = layout
        self.promptCount = promptCount
        attention = Array(repeating: 0, count: layout.valueCount(of: .attention))
        key = Array(repeating: 0, count: layout.valueCount(of: .key))
        value = Array(repeating: 0, count: layout.valueCount(of: .value))
    }

    /// The given values of each of ``Sketch/all``, whose lengths the caller checks; none stand for what has been lent.
    package init(layout: StatisticsLayout, promptCount: Int, values: [[Float]]) {
        self.layout = layout
        self.promptCount = promptCount
        attention = values.count > 0 ? values[0] : []
        key = values.count > 1 ? values[1] : []
        value = values.count > 2 ? values[2] : []
    }

    /// No values: sketches that are not kept, or lent.
    package static func none(_ layout: StatisticsLayout) -> AttentionSketches {
        AttentionSketches(layout: layout, promptCount: 0, values: [])
    }

    /// The values of any sketch, flat, in the order of ``StatisticsLayout/shape(of:)-(Sketch)``.
    public subscript(sketch: Sketch) -> [Float] { self[keyPath: sketch.values] }

    /// What forbids the use of these sums, at most one problem a sketch; empty if nothing does.
    func problems(promptCount expected: Int) -> [String] {
        guard layout.signCount > 0 else { return [] }
        var problems: [String] = []
        if promptCount != expected {
            problems.append("expected sketches of \(expected) prompts, found those of \(promptCount)")
        }
        for sketch in Sketch.all {
            let count = layout.valueCount(of: sketch)
            if self[sketch].count != count {
                problems.append("expected \(count) values of the \(sketch) sketch, found \(self[sketch].count)")
            } else if let index = self[sketch].firstIndex(where: { !$0.isFinite }) {
                problems.append(
                    "expected finite values of the \(sketch) sketch, found \(self[sketch][index]) at "
                        + layout.valueName(sketch, index))
            }
        }
        return problems
    }

    /// Adds the sums of other prompts; both have the same layout.
    mutating func add(_ other: AttentionSketches) {
        guard layout.signCount > 0 else { return }
        promptCount += other.promptCount
        for sketch in Sketch.all { Self.add(other[sketch], to: &self[keyPath: sketch.values]) }
    }

    /// Becomes what `whole` holds beside these prompts; both have the same layout, and these are among those.
    mutating func complement(in whole: AttentionSketches) {
        promptCount = whole.promptCount - promptCount
        for sketch in Sketch.all {
            let values = whole[sketch]
            self[keyPath: sketch.values].withUnsafeMutableBufferPointer { sums in
                for index in 0..<min(sums.count, values.count) { sums[index] = values[index] - sums[index] }
            }
        }
    }

    /// Scales the sums to as many prompts: what is read of sketches goes by their squares, over prompts.
    mutating func standFor(_ prompts: Int) {
        let factor = Float((Double(prompts) / Double(promptCount)).squareRoot())
        for sketch in Sketch.all {
            self[keyPath: sketch.values].withUnsafeMutableBufferPointer { sums in
                for index in sums.indices { sums[index] *= factor }
            }
        }
        promptCount = prompts
    }

    private static func add(_ values: [Float], to sums: inout [Float]) {
        sums.withUnsafeMutableBufferPointer { sums in
            values.withUnsafeBufferPointer { values in
                for index in 0..<min(sums.count, values.count) { sums[index] += values[index] }
            }
        }
    }
}
