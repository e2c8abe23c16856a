import CalibrationStatistics

/// The names of attributes, groups and data sets in a statistics file, version 4.
enum StatisticsFileNames {
    static let format = "format"
    static let schemaVersion = "schemaVersion"
    static let toolVersion = "toolVersion"
    static let family = "family"
    static let name = "name"
    static let branches = "branches"
    static let layers = "layers"
    static let heads = "heads"
    static let headWidth = "headWidth"
    static let shapeDigest = "shapeDigest"
    static let weightsDigest = "weightsDigest"
    static let grids = "grids"
    static let ropeGrid = "ropeGrid"
    static let historyTokens = "historyTokens"
    static let topCounts = "topCounts"
    static let signCount = "signCount"
    static let sensitivityPrompts = "sensitivityPrompts"
    static let storageFormats = "storageFormats"
    static let seed = "seed"
    static let guidance = "guidance"
    static let temperature = "temperature"
    static let topP = "topP"
    static let topK = "topK"
    static let arithmetic = "arithmetic"
    static let corpusDigest = "corpusDigest"
    static let corpusPromptCount = "corpusPromptCount"
    static let promptCount = "promptCount"
    static let complete = "complete"

    static let journal = "journal"
    static let corpusIndex = "corpusIndex"
    static let promptDigest = "promptDigest"
    static let counts = "counts"
    static let sums = "sums"
    static let rows = "rows"
    static let sketches = "sketches"
    static let keepsHalves = "keepsHalves"
    static let evenSketches = "evenSketches"
    static let responses = "responses"
    static let divergence = "divergence"
    static let squaredError = "squaredError"
    static let storageErrors = "storageErrors"

    static let dimensions = "dimensions"
    static let unit = "unit"

    /// The unit that a statistic's values carry.
    static func unit(of statistic: Statistic) -> String {
        switch statistic {
        case .rowEntropy: "nats"
        case .columnVariance: "squared attention mass"
        case .positionWeight: "attention mass times residual norm"
        default: "attention mass"
        }
    }

    /// The unit that a sketch's values carry.
    static func unit(of sketch: Sketch) -> String {
        switch sketch {
        case .key: "logit, random signs"
        case .value: "residual stream, random signs"
        default: "attention mass, random signs"
        }
    }

    /// The names of a sketch's dimensions, slowest first.
    static func dimensions(of sketch: Sketch) -> String {
        "branch layer head \(sketch.dependsOnScale ? "historyPosition" : "position") sign"
    }

    /// The names of a statistic's dimensions, slowest first.
    static func dimensions(of statistic: Statistic) -> String {
        switch statistic {
        case .topMass: "branch layer head scale topCount"
        case .sourceMass: "branch layer head scale sourceScale"
        case .positionMass, .positionWeight: "branch layer head historyPosition"
        default: "branch layer head scale"
        }
    }
}
