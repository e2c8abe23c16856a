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
    fileprivate static let weights = (0..<256).map { exp2f(-Float($0) / BoundaryMap.weightSteps) }

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
}

extension PoolingPlan {
    /// Writes what ``BoundaryCoefficients/pair(source:)`` gives for all sources of a map that is not the identity,
    /// `[sources]` each, 0 for what is dropped. Without an array: a runtime asks for every cell of every picture.
    package func writeCoefficients(
        branch: Int, scale: Int, layer: Int, head: Int, keys: UnsafeMutablePointer<Float>,
        values: UnsafeMutablePointer<Float>
    ) {
        let cell = index(branch, scale, layer, head), before = index(branch, scale - 1, layer, head)
        let map = maps[cell]
        if map.keyCodes.isEmpty {
            // The values' place serves as scratch.
            writeMeans(
                map, before: memberCounts[before], after: memberCounts[cell], oldCount: maps[before].slotCount,
                to: keys,
                totals: values)
        } else {
            Self.write(map.keyCodes, to: keys)
        }
        if map.valueCodes.isEmpty {
            values.update(from: keys, count: map.sourceCount)
        } else {
            Self.write(map.valueCodes, to: values)
        }
    }

    private static func write(_ codes: [Int16], to coefficients: UnsafeMutablePointer<Float>) {
        codes.withUnsafeBufferPointer { codes in
            for source in codes.indices { coefficients[source] = Float(codes[source]) / BoundaryMap.coefficientSteps }
        }
    }

    /// The coefficients of running means, by weight or all alike; `totals` holds a number a slot.
    private func writeMeans(
        _ map: BoundaryMap, before: [Int32], after: [Int32], oldCount: Int,
        to coefficients: UnsafeMutablePointer<Float>,
        totals: UnsafeMutablePointer<Float>
    ) {
        let dropped = BoundaryMap.dropped
        before.withUnsafeBufferPointer { before in
            for source in 0..<before.count { coefficients[source] = Float(before[source]) }
            (coefficients + before.count).update(repeating: 1, count: map.sourceCount - before.count)
        }
        map.targets.withUnsafeBufferPointer { targets in
            if map.weightCodes.isEmpty {
                after.withUnsafeBufferPointer { after in
                    for slot in 0..<map.slotCount { totals[slot] = after.isEmpty ? 1 : Float(after[slot]) }
                }
            } else {
                totals.update(repeating: 0, count: map.slotCount)
                BoundaryCoefficients.weights.withUnsafeBufferPointer { weights in
                    map.weightCodes.withUnsafeBufferPointer { codes in
                        for source in targets.indices where targets[source] != dropped {
                            coefficients[source] *= weights[Int(codes[source])]
                            totals[Int(targets[source])] += coefficients[source]
                        }
                    }
                }
            }
            for source in targets.indices {
                coefficients[source] =
                    targets[source] == dropped ? 0 : coefficients[source] / totals[Int(targets[source])]
            }
        }
    }
}
