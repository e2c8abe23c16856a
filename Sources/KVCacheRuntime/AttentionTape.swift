import Synchronization

/// Records the attention that every map of a full-cache run pays to its history, for ``OracleRule``.
public final class AttentionTape: AttentionObserver, Sendable {
    private struct Place: Hashable {
        let sequence: Int
        let layer: Int
        let head: Int
        let scale: Int
    }

    public let topCounts: [Int32] = []
    private let masses = Mutex<[Place: [Double]]>([:])

    /// An empty tape.
    public init() {}

    /// Forgets everything.
    public func erase() { masses.withLock { $0.removeAll(keepingCapacity: true) } }

    public func observe(_ record: AttentionRecord) {
        let place = Place(
            sequence: record.sequence, layer: record.layer, head: record.head, scale: record.scale)
        let mass = Array(record.columnMass.prefix(record.historyCount))
        masses.withLock { $0[place] = mass }
    }

    /// The attention mass of each history position, summed over the queries of `scale`; empty if it was not recorded.
    public func mass(sequence: Int, layer: Int, head: Int, scale: Int) -> [Double] {
        let place = Place(sequence: sequence, layer: layer, head: head, scale: scale)
        return masses.withLock { $0[place] } ?? []
    }
}
