import ProfileFormat
import VernierCore

/// The settings of a calibration that decide its numbers. Statistics merge only if these agree.
public struct CalibrationSettings: Sendable, Hashable {
    /// The top counts K' of ``Statistic/topMass``, in tokens, ascending.
    public let topCounts: [Int]
    /// Random signs of every ``Sketch``, R; 0: no sketches.
    public let signCount: Int
    /// Whether the sketches of every other prompt are summed a second time, so that the groups which both halves of the
    /// corpus lead to can be compared; doubles what sketches take.
    public let keepsHalves: Bool
    /// For how many of the corpus's first prompts every layer is disturbed; see ``LayerResponses``.
    public let sensitivityPrompts: Int
    /// For which formats ``StorageErrors`` are measured with the same prompts; none: not at all.
    public let storageFormats: [StorageFormat]
    /// The seed of all random choices; a prompt's noise is keyed by it and by the prompt's corpus index.
    public let seed: UInt64
    /// The strength of classifier-free guidance.
    public let guidance: Double
    /// The sampling temperature.
    public let temperature: Double
    /// The share of probability that sampling keeps, 0 to 1; 1 keeps all.
    public let topP: Double
    /// The number of likeliest tokens that sampling keeps; 0 keeps all.
    public let topK: Int
    /// In which precision the layers multiplied.
    public let arithmetic: Arithmetic
    /// The version of the program that measured.
    public let toolVersion: String

    /// Gathers settings.
    ///
    /// Throws ``VernierError/Code/invalidArgument`` with all problems: guidance and temperature must be finite and
    /// not negative, `topP` in 0...1, `topK` not negative, top counts ascending from at least 1, signs 0 to
    /// ``StatisticsLayout/mostSigns``, sensitivity prompts not negative, storage formats each given once and narrower
    /// than ``StorageFormat/float32``, whose error is zero.
    public init(
        topCounts: [Int] = [1, 4, 16, 64], signCount: Int = 0, keepsHalves: Bool = false,
        sensitivityPrompts: Int = 0,
        storageFormats: [StorageFormat] = [], seed: UInt64, guidance: Double, temperature: Double, topP: Double,
        topK: Int = 0, arithmetic: Arithmetic = .float32, toolVersion: String
    ) throws {
        var problems: [String] = []
        for (name, value) in [("guidance", guidance), ("temperature", temperature)]
        where !(value >= 0 && value.isFinite) {
            problems.append("expected a finite \(name) of at least 0, found \(value)")
        }
        if !(topP >= 0 && topP <= 1) { problems.append("expected a top-p from 0 to 1, found \(topP)") }
        if topK < 0 { problems.append("expected a top-k of at least 0, found \(topK)") }
        if topCounts.isEmpty || topCounts[0] < 1 || zip(topCounts, topCounts.dropFirst()).contains(where: { $0 >= $1 })
        {
            problems.append("expected top counts that ascend from at least 1, found \(topCounts)")
        }
        if !(0...StatisticsLayout.mostSigns).contains(signCount) {
            problems.append("expected 0 to \(StatisticsLayout.mostSigns) signs, found \(signCount)")
        }
        if keepsHalves, signCount == 0 {
            problems.append("expected signs, of whose sketches to keep halves, found none")
        }
        if sensitivityPrompts < 0 {
            problems.append("expected at least 0 sensitivity prompts, found \(sensitivityPrompts)")
        }
        if Set(storageFormats).count < storageFormats.count || storageFormats.contains(.float32) {
            problems.append(
                "expected narrow storage formats, each once, found \(Self.names(storageFormats))")
        }
        guard problems.isEmpty else {
            throw VernierError(.invalidArgument, at: "calibration settings", problems: problems)
        }
        self.topCounts = topCounts
        self.signCount = signCount
        self.keepsHalves = keepsHalves
        self.sensitivityPrompts = sensitivityPrompts
        self.storageFormats = storageFormats
        self.seed = seed
        self.guidance = guidance
        self.temperature = temperature
        self.topP = topP
        self.topK = topK
        self.arithmetic = arithmetic
        self.toolVersion = toolVersion
    }

    /// What stands otherwise in `other`, as readable sentences: expected is `other`, found are these settings.
    public func differences(from other: CalibrationSettings) -> [String] {
        func difference<Value: Equatable>(_ name: String, _ value: KeyPath<CalibrationSettings, Value>) -> [String] {
            self[keyPath: value] == other[keyPath: value]
                ? [] : ["expected \(name) \(other[keyPath: value]), found \(self[keyPath: value])"]
        }
        return difference("top counts", \.topCounts) + difference("signs", \.signCount)
            + difference("halves", \.keepsHalves) + difference("sensitivity prompts", \.sensitivityPrompts)
            + (storageFormats == other.storageFormats
                ? []
                : [
                    "expected storage formats \(Self.names(other.storageFormats)), "
                        + "found \(Self.names(storageFormats))"
                ])
            + difference("seed", \.seed)
            + difference("guidance", \.guidance)
            + difference("temperature", \.temperature) + difference("top-p", \.topP) + difference("top-k", \.topK)
            + difference("arithmetic", \.arithmetic.rawValue) + difference("tool version", \.toolVersion)
    }

    /// Formats for people: `bfloat16 int8`, or `none`.
    private static func names(_ formats: [StorageFormat]) -> String {
        formats.isEmpty ? "none" : formats.map(\.name).joined(separator: " ")
    }
}
