#if canImport(Glibc)
import Glibc
#elseif canImport(Darwin)
import Darwin
#endif

/// What each source of one boundary map counts in its slot's key and value.
public struct BoundaryCoefficients: Sendable {
    private let map: BoundaryMap
    /// History positions of the old slots and of the new ones; empty: one each.
    private let before: [Int32]
    private let after: [Int32]
    private let oldCount: Int
    /// By weights: the sum over each slot of what its sources count.
    private var totals: [Float] = []
    private let weights: [Float]

    /// The weight of every code; see ``BoundaryMap/weightCodes``.
    private static let weights = (0..<256).map { exp2f(-Float($0) / BoundaryMap.weightSteps) }

    /// - Parameters:
    ///   - before: history positions of the first `oldCount` sources, the others have one; empty: all have one.
    ///   - after: history positions of the slots; empty: one each.
    package init(map: BoundaryMap, before: [Int32], after: [Int32], oldCount: Int) {
        self.map = map
        self.before = before
        self.after = after
        self.oldCount = oldCount
        weights = map.weightCodes.isEmpty ? [] : Self.weights
        guard !map.weightCodes.isEmpty else { return }
        var totals = [Float](repeating: 0, count: map.slotCount)
        for (source, target) in map.targets.enumerated() where target != BoundaryMap.dropped {
            totals[Int(target)] += share(source)
        }
        self.totals = totals
    }

    /// The history positions of a source.
    private func members(_ source: Int) -> Float {
        source < oldCount && !before.isEmpty ? Float(before[source]) : 1
    }

    /// What a source counts by weights.
    private func share(_ source: Int) -> Float { members(source) * weights[Int(map.weightCodes[source])] }

    /// The coefficients of a source that is not dropped: fitted ones, or those of a running mean over positions, by
    /// weight or all alike.
    public func pair(source: Int) -> (key: Float, value: Float) {
        guard !map.isIdentity else { return (1, 1) }
        let key: Float
        if !map.keyCodes.isEmpty {
            key = Float(map.keyCodes[source]) / BoundaryMap.coefficientSteps
        } else if !map.weightCodes.isEmpty {
            key = share(source) / totals[Int(map.targets[source])]
        } else {
            key = members(source) / Float(after.isEmpty ? 1 : after[Int(map.targets[source])])
        }
        return (key, map.valueCodes.isEmpty ? key : Float(map.valueCodes[source]) / BoundaryMap.coefficientSteps)
    }

    /// Writes what ``pair(source:)`` gives for all sources at once, `[sources]` each; 0 for what is dropped.
    public func write(keys: UnsafeMutablePointer<Float>, values: UnsafeMutablePointer<Float>) {
        let count = map.sourceCount
        guard !map.isIdentity else {
            keys.update(repeating: 1, count: count)
            values.update(repeating: 1, count: count)
            return
        }
        if map.keyCodes.isEmpty { writeMeans(to: keys) } else { write(map.keyCodes, to: keys) }
        if map.valueCodes.isEmpty { values.update(from: keys, count: count) } else { write(map.valueCodes, to: values) }
    }

    private func write(_ codes: [Int16], to coefficients: UnsafeMutablePointer<Float>) {
        for (source, code) in codes.enumerated() { coefficients[source] = Float(code) / BoundaryMap.coefficientSteps }
    }

    /// The coefficients of running means, by weight or all alike.
    private func writeMeans(to coefficients: UnsafeMutablePointer<Float>) {
        for (source, target) in map.targets.enumerated() {
            if target == BoundaryMap.dropped {
                coefficients[source] = 0
            } else if map.weightCodes.isEmpty {
                coefficients[source] = members(source) / Float(after.isEmpty ? 1 : after[Int(target)])
            } else {
                coefficients[source] = share(source) / totals[Int(target)]
            }
        }
    }
}
