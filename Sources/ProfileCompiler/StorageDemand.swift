import ProfileFormat

/// How the slots of a profile are to be stored.
public enum StorageDemand: Sendable, Hashable {
    /// As given.
    case fixed(CellStorage)
    /// In the format, one for all cells, that measured errors speak for: under a budget in bytes the one whose slots
    /// and storage together are predicted to cost least, under any other budget the narrowest that adds at most a tenth
    /// to what the slots cost. Needs the policy `rate-distortion`, a planned selection by measured cost, and statistics
    /// with storage errors.
    case chosen
}
