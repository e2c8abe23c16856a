import Testing

/// Runs `body` with every value; if an issue is recorded or an error thrown inside, also prints which value it was.
///
/// Nested calls print the whole trace, innermost first, so a failing combination names itself:
/// ```swift
/// try withEvery("heads", in: [1, 4]) { heads in
///     try withEvery("scale", in: 0..<3) { scale in #expect(...) }
/// }
/// // in scale = 2
/// // in heads = 4
/// ```
///
/// Source: the idea of apple/swift-collections: Tests/_CollectionsTestSupport/AssertionContexts/Combinatorics.swift.
public func withEvery<Values: Sequence>(
    _ label: String, in values: Values, sourceLocation: SourceLocation = #_sourceLocation,
    _ body: (Values.Element) throws -> Void
) throws {
    for value in values {
        let place = "in \(label) = \(value)"
        // No issue matches, so every issue counts as usual; the closure is there to see them pass.
        try withKnownIssue(isIntermittent: true, sourceLocation: sourceLocation) {
            try body(value)
        } matching: { _ in
            print("  \(place)")
            return false
        }
    }
}
