import CKernels
import VernierCore

/// Attention of one head of one sequence over two segments, history slots and current map:
/// `softmax(q K^T + bias) V`, softmax scale 1 (fold any other into `q`).
///
/// Works on tiles of query rows and holds one tile of scores. Legend: T queries, S history slots, N current keys, D head
/// width. float32; the pointers are borrowed for the call.
public struct Attention {
    /// Where the queries are: row `t` at `queries + t * queryStride`.
    public var queries: UnsafePointer<Float>
    public var queryStride: Int
    public var queryCount: Int
    public var headWidth: Int
    /// S rows of keys and of values of the retained history, stored in ``historyFormat`` and read in place, and the fixed
    /// logit bias `[S]` of each slot, if any.
    public var historyKeys: UnsafeRawPointer?
    public var historyValues: UnsafeRawPointer?
    public var historyFormat = RowFormat.float32
    public var historyBias: UnsafePointer<Float>?
    public var historyCount = 0
    /// Keys and values `[N, D]` of the current map.
    public var currentKeys: UnsafePointer<Float>?
    public var currentValues: UnsafePointer<Float>?
    public var currentCount = 0
    /// Row `t` of the result `[T, D]` goes to `output + t * outputStride`.
    public var output: UnsafeMutablePointer<Float>
    public var outputStride: Int
    /// How it multiplies. What is measured are probabilities in float32, of scores that were multiplied so.
    public var arithmetic = Arithmetic.current

    /// Weight of each query row in the measurements, `[T]`; nil is 1 everywhere.
    public var rowWeights: UnsafePointer<Float>?
    /// `[S + N]`: gains the attention mass of each key, summed over the queries. Must be set beforehand.
    public var columnMass: UnsafeMutablePointer<Double>?
    /// Ascending counts K', and `[counts]` sums over the queries of the K' largest probabilities in the history.
    public var topCounts: UnsafePointer<Int32>?
    public var topCountCount = 0
    public var topMass: UnsafeMutablePointer<Double>?
    /// Gains the entropy (nats) summed over the queries.
    public var entropy: UnsafeMutablePointer<Double>?
    /// `[T, S + N]` probabilities, for tests.
    public var probabilities: UnsafeMutablePointer<Float>?
    /// Random projections of the history's columns; see ``sketch(signs:count:attention:keys:)``.
    private var signs: UnsafePointer<Float>?
    private var signCount = 0
    private var attentionSketch: UnsafeMutablePointer<Float>?
    private var keySketch: UnsafeMutablePointer<Float>?

    /// Describes the queries and the result; the segments and measurements are set as properties.
    public init(
        queries: UnsafePointer<Float>, queryStride: Int, queryCount: Int, headWidth: Int,
        output: UnsafeMutablePointer<Float>, outputStride: Int
    ) {
        self.queries = queries
        self.queryStride = queryStride
        self.queryCount = queryCount
        self.headWidth = headWidth
        self.output = output
        self.outputStride = outputStride
    }

    /// Asks for random projections of the history's columns, with R random signs a query. Row weights do not apply.
    ///
    /// Both results are set, not added to: `attention` `[S, R]` to `sum_t signs[t, r] a[t, p]`, `keys` `[S, R]` to
    /// `(sum_t signs[t, r] q_t) . k_p`. float32, queries in ascending order, whatever the tiles.
    /// - Parameter signs: `[T, R]`, each +1 or -1 (any other value: bits may differ between instruction sets).
    public mutating func sketch(
        signs: UnsafePointer<Float>, count: Int, attention: UnsafeMutablePointer<Float>,
        keys: UnsafeMutablePointer<Float>
    ) {
        self.signs = signs
        signCount = count
        attentionSketch = attention
        keySketch = keys
    }

    /// Scratch that ``run(scratch:)`` needs, in float32 values; `signCount` is R if sketches are asked for.
    public static func scratchCount(
        headWidth: Int, historyCount: Int, currentCount: Int, signCount: Int = 0
    ) -> Int {
        vk_attention_scratch_count(headWidth, historyCount, currentCount, signCount)
    }

    /// Computes the attention.
    public func run(scratch: UnsafeMutablePointer<Float>) {
        var arguments = vk_attention()
        arguments.q = queries
        arguments.q_stride = queryStride
        arguments.queries = queryCount
        arguments.d = headWidth
        arguments.history_k = historyKeys
        arguments.history_v = historyValues
        arguments.history_format = historyFormat.kernelCode
        arguments.history_bias = historyBias
        arguments.history = historyCount
        arguments.current_k = currentKeys
        arguments.current_v = currentValues
        arguments.current = currentCount
        arguments.out = output
        arguments.out_stride = outputStride
        arguments.rows = arithmetic == .bfloat16 ? Int32(VK_ROWS_ROUNDED) : Int32(VK_ROWS_AS_THEY_LIE)
        arguments.row_weight = rowWeights
        arguments.column_mass = columnMass
        arguments.top_counts = topCounts
        arguments.top_count_count = topCountCount
        arguments.top_mass = topMass
        arguments.entropy = entropy
        arguments.probabilities = probabilities
        arguments.signs = signs
        arguments.sign_count = signCount
        arguments.attention_sketch = attentionSketch
        arguments.key_sketch = keySketch
        vk_attention_run(&arguments, scratch)
    }
}
