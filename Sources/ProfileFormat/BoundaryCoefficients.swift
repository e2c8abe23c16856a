/// What each source of one boundary map counts in its slot's key and value.
public struct BoundaryCoefficients: Sendable {
    private let map: BoundaryMap
    /// History positions of the old slots and of the new ones; empty: one each.
    private let before: [Int32]
    private let after: [Int32]
    private let oldCount: Int

    init(map: BoundaryMap, before: [Int32], after: [Int32], oldCount: Int) {
        self.map = map
        self.before = before
        self.after = after
        self.oldCount = oldCount
    }

    /// The coefficients of a source that is not dropped: fitted ones, or those of a running mean over positions.
    public func pair(source: Int) -> (key: Float, value: Float) {
        guard !map.isIdentity else { return (1, 1) }
        let key: Float
        if map.keyCodes.isEmpty {
            let members = source < oldCount && !before.isEmpty ? before[source] : 1
            key = Float(members) / Float(after.isEmpty ? 1 : after[Int(map.targets[source])])
        } else {
            key = Float(map.keyCodes[source]) / BoundaryMap.coefficientSteps
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

    /// The coefficients of running means.
    private func writeMeans(to coefficients: UnsafeMutablePointer<Float>) {
        before.withUnsafeBufferPointer { before in
            after.withUnsafeBufferPointer { after in
                for (source, target) in map.targets.enumerated() {
                    guard target != BoundaryMap.dropped else {
                        coefficients[source] = 0
                        continue
                    }
                    let members = source < oldCount && !before.isEmpty ? before[source] : 1
                    coefficients[source] = Float(members) / Float(after.isEmpty ? 1 : after[Int(target)])
                }
            }
        }
    }
}
