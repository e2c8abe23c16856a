/// Encoded text of one sequence: `count` rows of `width` values, one row a token.
public struct TextRows: Sendable, Hashable {
    /// Tokens.
    public let count: Int
    /// Width Ct.
    public let width: Int
    /// `[count, width]`, row-major.
    public let values: [Float]

    /// Wraps rows.
    /// - Precondition: `values` holds `count * width` values, at least one row.
    public init(count: Int, width: Int, values: [Float]) {
        precondition(count > 0 && values.count == count * width, "values holds count * width values")
        self.count = count
        self.width = width
        self.values = values
    }
}
