/// The float32 keys or values of all candidates of a cell, by candidate index: rows of D values that lie in two blocks,
/// old slots and tokens of the scale just finished.
public struct CandidateRows {
    private let old: UnsafePointer<Float>
    private let new: UnsafePointer<Float>
    private let historyCount: Int
    private let width: Int

    /// Two blocks: `old` `[historyCount, width]` for the old slots, `new` `[n_k, width]` for the tokens.
    public init(old: UnsafePointer<Float>, historyCount: Int, new: UnsafePointer<Float>, width: Int) {
        self.old = old
        self.new = new
        self.historyCount = historyCount
        self.width = width
    }

    /// One block with the rows of all candidates.
    public init(rows: UnsafePointer<Float>, width: Int) {
        self.init(old: rows, historyCount: 0, new: rows, width: width)
    }

    /// The row `[D]` of candidate `index`.
    public subscript(index: Int) -> UnsafePointer<Float> {
        index < historyCount ? old + index * width : new + (index - historyCount) * width
    }
}
