/// One column of an evaluation: how to read it from a record, and how to show it.
public struct EvaluationMetric: Sendable {
    /// The key in `report.json`.
    public let key: String
    /// The heading in `report.md`, with ``choicePlace`` where the model's word for a choice stands.
    private let titleTemplate: String
    /// Digits after the point in `report.md`.
    public let fractionDigits: Int
    /// Whether larger values are better.
    public let isLargerBetter: Bool
    /// The value of one record; nil if it was not measured.
    public let value: @Sendable (PictureRecord) -> Double?

    private static let choicePlace = "{choice}"

    init(
        key: String, title: String, fractionDigits: Int, isLargerBetter: Bool,
        value: @escaping @Sendable (PictureRecord) -> Double?
    ) {
        self.key = key
        titleTemplate = title
        self.fractionDigits = fractionDigits
        self.isLargerBetter = isLargerBetter
        self.value = value
    }

    /// The heading in `report.md` for a model that chooses `bit`s or `token`s.
    package func title(choice: String) -> String { titleTemplate.replacing(Self.choicePlace, with: choice) }

    /// PSNR in dB against the full cache, each picture cut at ``PeakSignalNoise/capDecibels``.
    public static let psnrDecibels = EvaluationMetric(
        key: "psnrDecibels", title: "PSNR, dB", fractionDigits: 2, isLargerBetter: true
    ) {
        $0.meanSquaredError.map { min(PeakSignalNoise.decibels(meanSquaredError: $0), PeakSignalNoise.capDecibels) }
    }
    /// Structural similarity to the full cache's picture.
    public static let structuralSimilarity = EvaluationMetric(
        key: "structuralSimilarity", title: "SSIM", fractionDigits: 3, isLargerBetter: true
    ) { $0.structuralSimilarity }
    /// Share of choices (bits or tokens) equal to the full cache's.
    public static let bitAgreement = EvaluationMetric(
        key: "bitAgreement", title: "equal \(choicePlace)s", fractionDigits: 3, isLargerBetter: true
    ) { $0.bitAgreement }
    /// Forced-decoding divergence in nats a choice.
    public static let forcedDecodingKLNats = EvaluationMetric(
        key: "forcedDecodingKLNats", title: "KL, nats/\(choicePlace)", fractionDigits: 4, isLargerBetter: false
    ) { $0.forcedDecodingKLNats }
    /// Share of pictures that show all of their scene.
    public static let sceneCorrect = EvaluationMetric(
        key: "sceneCorrect", title: "scene right", fractionDigits: 3, isLargerBetter: true
    ) { $0.sceneScore.map { $0.allCorrect ? 1 : 0 } }
    /// Seconds of wall time a picture.
    public static let secondsPerImage = EvaluationMetric(
        key: "secondsPerImage", title: "s/image", fractionDigits: 3, isLargerBetter: false
    ) { $0.seconds }

    /// All metrics in the order of the report.
    public static let all = [
        psnrDecibels, structuralSimilarity, bitAgreement, forcedDecodingKLNats, sceneCorrect, secondsPerImage,
    ]

    /// One value a prompt, the mean over its seeds, by ascending prompt; prompts without a measurement are left out.
    ///
    /// Seeds of one prompt are not independent of each other, so intervals are taken over these means.
    public func promptMeans(_ records: [PictureRecord]) -> [(prompt: Int, mean: Double)] {
        var sums: [Int: (sum: Double, count: Int)] = [:]
        for record in records {
            guard let value = value(record) else { continue }
            let (sum, count) = sums[record.prompt] ?? (0, 0)
            sums[record.prompt] = (sum + value, count + 1)
        }
        return sums.sorted { $0.key < $1.key }.map { ($0.key, $0.value.sum / Double($0.value.count)) }
    }
}
