import Checkpoints
import Generation
import ModelFamilies
import ProfileFormat
import VernierCore

/// A model directory on one screen: what it is, what lies on the disk, and what a picture costs.
public struct ModelSheet: Sendable {
    private let configuration: ModelConfiguration
    private let plan: PicturePlan
    private let files: [TensorInventory]
    private let profile: (profile: Profile, name: String)?

    /// Prepares a model.
    ///
    /// - Parameters:
    ///   - files: what its weights files hold.
    ///   - profile: one that fits it, and its file's name.
    public init(
        _ configuration: ModelConfiguration, plan: PicturePlan, files: [TensorInventory], profile: Profile? = nil,
        profileName: String = "profile"
    ) {
        self.configuration = configuration
        self.plan = plan
        self.files = files
        self.profile = profile.map { ($0, profileName) }
    }

    private var bytes: ByteSheet {
        ByteSheet(plan, profile: profile?.profile, profileName: profile?.name ?? "")
    }

    /// The text, ending without a new line.
    public func text() -> String {
        (headLines + weightLines + scheduleLines + [bytes.text()] + workLines).joined(separator: "\n")
    }

    /// The family's numbers.
    private var headLines: [String] {
        switch configuration.architecture {
        case .infinity(let numbers):
            let sizes = numbers.transformer, tokenizer = numbers.tokenizer
            return [
                modelLine(width: sizes.width, mlpWidth: sizes.mlpWidth)
                    + ", text \(sizes.textWidth), \(sizes.bits) bits a token",
                tokenizerLine(
                    "\(tokenizer.bits) bits", base: tokenizer.baseChannels, multipliers: tokenizer.channelMultipliers,
                    pixels: tokenizer.pixelsPerToken) + (tokenizer.spatialPatchify ? ", 2 x 2 codes each" : ""),
            ]
        case .var(let numbers):
            return [
                modelLine(width: numbers.width, mlpWidth: numbers.mlpWidth) + ", \(numbers.classes) classes",
                tokenizerLine(
                    "\(numbers.codebookSize) codes of \(numbers.codeChannels) channels", base: numbers.baseChannels,
                    multipliers: numbers.channelMultipliers, pixels: numbers.pixelsPerToken),
            ]
        }
    }

    private func modelLine(width: Int, mlpWidth: Int) -> String {
        let numbers = configuration.architecture
        return "model      \(configuration.name) (\(numbers.family)), \(numbers.depth) layers x \(numbers.heads) heads "
            + "of \(numbers.headWidth), width \(width), feed-forward \(mlpWidth)"
    }

    private func tokenizerLine(_ codes: String, base: Int, multipliers: [Int], pixels: Int) -> String {
        "tokeniser  \(codes), \(base) channels x \(multipliers.map(String.init).joined(separator: " ")), "
            + "\(pixels) pixels a token"
    }

    /// Parameters by part and bytes by type.
    private var weightLines: [String] {
        files.flatMap { file -> [String] in
            let kinds = file.kinds.map { "\($0.elementType) \($0.bytes) in \($0.tensors) tensors" }
            let parts = file.parts.map { "\($0.name) \(Figures.short(Double($0.parameters)))" }
            return [
                "weights    \(file.name): \(file.parameters) parameters, \(Figures.bytes(file.bytes)); "
                    + kinds.joined(separator: ", "),
                "           \(parts.joined(separator: ", "))",
            ]
        }
    }

    /// The scales of the chosen schedule.
    private var scheduleLines: [String] {
        let schedule = plan.schedule
        let name = InfinitySchedule(of: schedule).map { "\($0), " } ?? ""
        var positions = ""
        if case .infinity = configuration.architecture {
            positions = "positions scaled to \(schedule.ropeGrid.height)x\(schedule.ropeGrid.width), "
        }
        var rows = [["           scale", "grid", "tokens", "history"]]
        for (scale, grid) in schedule.grids.enumerated() {
            rows.append([
                "\(scale)", "\(grid.height)x\(grid.width)", "\(grid.tokenCount)", "\(schedule.historyTokens(scale))",
            ])
        }
        return [
            "schedule   \(name)\(schedule.totalTokens) tokens, \(positions)"
                + "pictures of \(plan.height) x \(plan.width) pixels (height x width)"
        ] + TextTable.lines(rows)
    }

    /// Operations, and at the other official resolutions.
    private var workLines: [String] {
        var lines = [Self.work(plan)]
        guard let official = InfinitySchedule(of: plan.schedule) else { return lines }
        var rows = [["           at", "tokens", "released cache", "transformer and decoder"]]
        for resolution in InfinityResolution.all {
            let choice = ScheduleChoice(resolution: resolution, aspect: official.aspect)
            guard let chosen = try? configuration.choosing(choice),
                let other = try? PicturePlan(
                    chosen, branches: plan.model.branches, textTokens: plan.textTokens)
            else { continue }
            rows.append([
                resolution.name, "\(other.schedule.totalTokens)", Figures.bytes(other.releasedCache.releasedBytes),
                Figures.short(other.total),
            ])
        }
        lines += TextTable.lines(rows)
        return lines
    }

    /// Operations of one picture on one line.
    public static func work(_ plan: PicturePlan) -> String {
        let branches = plan.model.branches, one = plan.transformer
        let parts =
            [
                "transformer \(Figures.short(plan.transformerTotal)) (\(branches) x (\(Figures.short(one.linear)) linear + "
                    + "\(Figures.short(one.attention)) attention + "
                    + (one.text == 0 ? "" : "\(Figures.short(one.text)) text + ")
                    + "\(Figures.short(one.rest)) rest))",
                "decoder \(Figures.short(plan.decoder.total))",
            ] + (plan.textEncoder.map { ["text encoder \(Figures.short($0))"] } ?? [])
        let words = plan.textEncoder == nil && one.text == 0 ? "" : " with \(plan.textTokens) text tokens"
        return "operations \(Figures.short(plan.total)) a picture\(words), full cache: "
            + parts.joined(separator: ", ")
    }

    /// The same as JSON.
    public func json() -> JSONValue {
        var work: JSONObject = JSONObject()
        work["transformer"] = .number(plan.transformerTotal)
        work["decoder"] = .number(plan.decoder.total)
        if let encoder = plan.textEncoder { work["textEncoder"] = .number(encoder) }
        return [
            "format": "vernier-model-summary", "version": 1, "name": .string(configuration.name),
            "family": .string(configuration.family), "shapeDigest": .string(configuration.shapeDigest),
            "layers": .integer(Int64(plan.model.layers)), "heads": .integer(Int64(plan.model.heads)),
            "headWidth": .integer(Int64(plan.model.headWidth)), "branches": .integer(Int64(plan.model.branches)),
            "schedule": plan.schedule.jsonValue,
            "picture": [.integer(Int64(plan.height)), .integer(Int64(plan.width))],
            "files": .array(
                files.map { file in
                    var parts = JSONObject(), kinds = JSONObject()
                    for part in file.parts { parts[part.name] = .integer(Int64(part.parameters)) }
                    for kind in file.kinds { kinds[kind.elementType.name] = .integer(Int64(kind.bytes)) }
                    return [
                        "name": .string(file.name), "parameters": .integer(Int64(file.parameters)),
                        "parts": .object(parts), "bytes": .object(kinds),
                    ]
                }),
            "cache": bytes.json(), "textTokens": .integer(Int64(plan.textTokens)), "operations": .object(work),
        ]
    }
}
