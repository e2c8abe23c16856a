/// Someone who watches attention as it is computed. Called on the generating thread, in ascending order of sequence and
/// head, layer after layer, so that what it sums up does not depend on threads.
public protocol AttentionObserver: AnyObject {
    /// The counts K' for ``AttentionRecord/topMass``, ascending and positive.
    var topCounts: [Int32] { get }
    /// Whether ``AttentionRecord/probabilities`` are wanted (tests only: they are a full score matrix).
    var wantsProbabilities: Bool { get }
    /// Random signs R a query for ``AttentionRecord/attentionSketch`` and ``AttentionRecord/keySketch``; 0: no sketches.
    var signCount: Int { get }
    /// The signs `[n_k, R]`, each +1 or -1, of the queries of a sequence at a scale; asked for if ``signCount`` is not 0.
    /// They must stay valid and unchanged while that scale is computed; nil for one sequence means no sketches at all.
    func signs(sequence: Int, scale: Int) -> UnsafePointer<Float>?
    /// The factors `[width]` by which a layer's projected attention output enters the residual stream of a sequence
    /// (AdaLN's gamma1). Told once a generation for every sequence and layer, before anything is observed.
    func observeGate(_ gate: UnsafeBufferPointer<Float>, sequence: Int, layer: Int)
    /// The attention of one layer at one scale: all heads of all sequences, in ascending order of sequence and head. Whoever
    /// spreads this over threads must keep the order of what is added. Calls ``observe(_:)`` one by one unless implemented.
    func observeLayer(_ records: [AttentionRecord])
    /// One head's attention at one scale.
    func observe(_ record: AttentionRecord)
}

extension AttentionObserver {
    public var wantsProbabilities: Bool { false }
    public var signCount: Int { 0 }
    public func signs(sequence: Int, scale: Int) -> UnsafePointer<Float>? { nil }
    public func observeGate(_ gate: UnsafeBufferPointer<Float>, sequence: Int, layer: Int) {}
    public func observeLayer(_ records: [AttentionRecord]) {
        for record in records { observe(record) }
    }
}
