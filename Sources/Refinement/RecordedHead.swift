/// What one head of one layer did in one sequence of a full-cache run.
struct RecordedHead {
    /// Final queries and keys, and values, `[tokens, D]` of all scales.
    var queries: Matrix
    var keys: Matrix
    var values: Matrix
    /// Lower factor `[D, D]` of `(gate W_o^h)^T (gate W_o^h)`: `|v L|` is how far a value moves the residual stream.
    var metric: Matrix
}
