/// One layer's current map: its final queries, keys and values `[sequences, H, n_k, D]` at one scale, and its queries
/// before bias, normalisation and rotation if a rule asks for them.
struct LayerMap {
    let scale: Int
    let layer: Int
    /// n_k.
    let tokens: Int
    /// D.
    let width: Int
    let queries: UnsafePointer<Float>
    let keys: UnsafePointer<Float>
    let values: UnsafePointer<Float>
    let rawQueries: UnsafePointer<Float>?

    /// Where the rows `[n_k, D]` of a cell (sequence-major, then head) begin.
    func offset(cell: Int) -> Int { cell * tokens * width }
}
