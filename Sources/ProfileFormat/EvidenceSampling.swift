import VernierCore

/// How the pictures behind ``Evidence`` were drawn: the settings of the full cache and of the profile alike.
public struct EvidenceSampling: Sendable, Hashable {
    /// Guidance weight per scale; the last entry serves all later scales.
    public let guidance: [Double]
    /// Where guidance acts: 0 for the logits, -i for behind the i-th block from the end.
    public let guidanceLayers: [Int]
    /// Temperature per scale, likewise.
    public let temperature: [Double]
    /// The number of likeliest values that are kept; 0 keeps all.
    public let topK: Int
    /// The share of probability that is kept, 0 to 1; 0 keeps all.
    public let topP: Double
    /// In which precision the layers multiplied.
    public let arithmetic: Arithmetic

    /// Gathers settings; they are checked with the evidence.
    public init(
        guidance: [Double], guidanceLayers: [Int] = [0], temperature: [Double], topK: Int, topP: Double,
        arithmetic: Arithmetic = .float32
    ) {
        self.guidance = guidance
        self.guidanceLayers = guidanceLayers
        self.temperature = temperature
        self.topK = topK
        self.topP = topP
        self.arithmetic = arithmetic
    }

    /// Everything that is out of range.
    var problems: [String] {
        var problems: [String] = []
        for (word, values) in [("guidance", guidance), ("temperature", temperature)]
        where !FormatLimits.scales.contains(values.count) || !values.allSatisfy({ $0.isFinite && $0 >= 0 }) {
            problems.append("evidence: expected finite numbers of at least 0 for \(word), one a scale or fewer")
        }
        if guidanceLayers.isEmpty || guidanceLayers.count > FormatLimits.layers.upperBound + 1
            || !guidanceLayers.allSatisfy({ (-FormatLimits.layers.upperBound...0).contains($0) })
        {
            problems.append("evidence: expected guidance layers from \(-FormatLimits.layers.upperBound) to 0")
        }
        if topK < 0 { problems.append("evidence: expected a top-k of at least 0, found \(topK)") }
        if !(topP >= 0 && topP <= 1) { problems.append("evidence: expected a top-p from 0 to 1, found \(topP)") }
        return problems
    }

    var jsonValue: JSONValue {
        var object = JSONObject()
        if arithmetic != .float32 { object["arithmetic"] = .string(arithmetic.rawValue) }
        object["guidance"] = .array(guidance.map { .number($0) })
        if guidanceLayers != [0] { object["guidanceLayers"] = .array(guidanceLayers.map { .integer(Int64($0)) }) }
        object["temperature"] = .array(temperature.map { .number($0) })
        object["topK"] = .integer(Int64(topK))
        object["topP"] = .number(topP)
        return .object(object)
    }

    init(reading cursor: JSONCursor) throws {
        try cursor.requireOnly(keys: ["arithmetic", "guidance", "guidanceLayers", "temperature", "topK", "topP"])
        self.init(
            guidance: try cursor.member("guidance").numbers(),
            guidanceLayers: try cursor.optionalMember("guidanceLayers")?.integers() ?? [0],
            temperature: try cursor.member("temperature").numbers(),
            topK: try cursor.member("topK").integer(), topP: try cursor.member("topP").number(),
            arithmetic: try cursor.optionalMember("arithmetic").map(Self.arithmetic) ?? .float32)
    }

    private static func arithmetic(_ cursor: JSONCursor) throws -> Arithmetic {
        guard let arithmetic = Arithmetic(rawValue: try cursor.string()) else {
            throw cursor.error(expected: "one of \(Arithmetic.allCases.map(\.rawValue).joined(separator: ", "))")
        }
        return arithmetic
    }
}
