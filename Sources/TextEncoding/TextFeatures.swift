/// What a text encoder makes of one text: a row of features for each token.
public struct TextFeatures: Sendable, Hashable {
    /// The number of tokens, the end token included.
    public let rows: Int
    /// Channels per row.
    public let width: Int
    /// The features `[rows, width]`.
    public let values: [Float]

    /// Makes features.
    ///
    /// - Precondition: `values` holds `rows * width` numbers.
    public init(rows: Int, width: Int, values: [Float]) {
        precondition(values.count == rows * width, "values holds rows * width numbers")
        self.rows = rows
        self.width = width
        self.values = values
    }
}
