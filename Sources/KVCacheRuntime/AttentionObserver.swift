/// Someone who watches attention as it is computed. Called on the generating thread, in ascending order of sequence and
/// head, layer after layer, so that what it sums up does not depend on threads.
public protocol AttentionObserver: AnyObject {
    /// The counts K' for ``AttentionRecord/topMass``, ascending and positive.
    var topCounts: [Int32] { get }
    /// Whether ``AttentionRecord/probabilities`` are wanted (tests only: they are a full score matrix).
    var wantsProbabilities: Bool { get }
    /// One head's attention at one scale.
    func observe(_ record: AttentionRecord)
}

extension AttentionObserver {
    public var wantsProbabilities: Bool { false }
}
