import Checkpoints
import Testing

/// Records an issue unless every value of `actual` is within `tolerance` (absolute) of `expected`.
///
/// A NaN on either side counts as an excess. The issue names the first index that exceeds, both values there, the
/// largest error with its index, and how many exceed.
@discardableResult
public func expectClose(
    _ actual: [Float], _ expected: [Float], tolerance: Float, what: String,
    sourceLocation: SourceLocation = #_sourceLocation
) -> Bool {
    guard actual.count == expected.count else {
        Issue.record("\(what): \(actual.count) values, expected \(expected.count)", sourceLocation: sourceLocation)
        return false
    }
    var firstExcess: Int?
    var excessCount = 0
    var worst = (index: 0, error: -Float.infinity)
    for index in actual.indices where actual[index] != expected[index] {
        let error = abs(actual[index] - expected[index])
        if !(error <= tolerance) {
            firstExcess = firstExcess ?? index
            excessCount += 1
        }
        if error > worst.error || (error.isNaN && !worst.error.isNaN) { worst = (index, error) }
    }
    guard let firstExcess else { return true }
    Issue.record(
        """
        \(what): \(excessCount) of \(actual.count) values differ by more than \(tolerance); first at [\(firstExcess)]: \
        \(actual[firstExcess]), expected \(expected[firstExcess]); largest error \(worst.error) at [\(worst.index)]: \
        \(actual[worst.index]), expected \(expected[worst.index])
        """, sourceLocation: sourceLocation)
    return false
}

/// Compares with a golden tensor; see ``expectClose(_:_:tolerance:what:sourceLocation:)``.
@discardableResult
public func expectClose(
    _ actual: [Float], _ golden: TensorView, tolerance: Float, what: String,
    sourceLocation: SourceLocation = #_sourceLocation
) throws -> Bool {
    expectClose(
        actual, try golden.float32(), tolerance: tolerance, what: "\(what) (\(golden.place))",
        sourceLocation: sourceLocation)
}

/// Records an issue unless both sequences are equal; the issue names the first difference.
@discardableResult
public func expectSame<Element: Equatable>(
    _ actual: [Element], _ expected: [Element], what: String, sourceLocation: SourceLocation = #_sourceLocation
) -> Bool {
    if actual == expected { return true }
    let shared = min(actual.count, expected.count)
    let first = (0..<shared).first { actual[$0] != expected[$0] } ?? shared
    let around = max(0, first - 2)..<(first + 3)
    Issue.record(
        """
        \(what): \(actual.count) elements, expected \(expected.count); first difference at [\(first)]: around it \
        \(actual[around.clamped(to: actual.indices)]), expected \(expected[around.clamped(to: expected.indices)])
        """, sourceLocation: sourceLocation)
    return false
}
