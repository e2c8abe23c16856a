/// The largest sizes that profiles and what they describe may have.
///
/// They are far above any real model and small enough that no total overflows: tokens (2^30) x branches (2^2) x layers
/// and heads (2^16) x bytes per slot (2^14) stay below 2^63.
enum FormatLimits {
    static let scales = 1...64
    static let gridSide = 1...4096
    static let branches = 1...4
    static let layers = 1...1024
    static let heads = 1...1024
    /// Layers times heads.
    static let headsOfAllLayers = 1 << 16
    /// Branches times scales times layers times heads: what reading a small file may make us allocate.
    static let cells = 1 << 20
    static let headWidth = 1...2048
    static let nameBytes = 200
    /// Where an imported file comes from.
    static let originBytes = 1000
    static let parameters = 64
    static let figures = 64
    static let evidenceSeeds = 1 << 16
}
