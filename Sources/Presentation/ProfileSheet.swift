import ProfileFormat
import VernierCore

/// A profile on one screen: what it is, what it costs, and a heat map of capacities and roles.
public struct ProfileSheet: Sendable {
    private let profile: Profile

    /// Prepares a profile.
    public init(_ profile: Profile) { self.profile = profile }

    /// The text, ending without a new line.
    public func text() -> String {
        let budget = profile.realisedBudget, plan = profile.residentPlan, schedule = profile.schedule
        let capacities = profile.capacities
        var rows: [HeatMap.Row] = []
        for scale in 1..<max(schedule.scaleCount, 1) {
            let history = schedule.historyTokens(scale)
            let shares = (0..<capacities.layerCount).map { layer in
                Double(capacities.totalTokens(scale: scale, branch: 0, layer: layer))
                    / Double(history * capacities.headCount)
            }
            let drafters =
                profile.roles.indices.contains(scale)
                ? profile.roles[scale].indices.filter { profile.roles[scale][$0] == .drafter } : []
            let mean =
                Double(capacities.totalTokens(scale: scale, branch: 0))
                / Double(capacities.layerCount * capacities.headCount)
            rows.append(
                HeatMap.Row(
                    label: "\(scale)", values: shares, marks: Set(drafters),
                    note: "\((mean * 10).rounded() / 10) of \(history)"))
        }
        return """
            profile    \(profile.policy.name) (\(profile.policy.parameters.summary))
            selection  \(profile.selection)
            model      \(profile.model.name) (\(profile.model.family)), \(profile.model.layers) layers x \
            \(profile.model.heads) heads of \(profile.model.headWidth), weights \(weightsText)
            budget     asked \(profile.requestedBudget); holds \(budget.lastScaleSlots) slots in all branches at the last scale, \
            \((budget.keptShare * 1000).rounded() / 10) % of \(budget.fullHistoryTokens) history tokens
            bytes      \(plan.residentBytes()) a picture, full cache \(plan.fullCacheBytes()); \(profile.storage)
            from       \(originText), vernier \(profile.provenance.toolVersion)\(evidenceText)

            Kept share of the history when a scale begins, by layer (^ drafter), and mean tokens a cell:
            \(HeatMap.text(heading: "scale", rows: rows))
            """
    }

    private var weightsText: String {
        profile.model.weightsDigest.map { "\($0.prefix(12))..." } ?? "unknown: only the architecture is compared"
    }

    /// What the profile was made of.
    private var originText: String {
        let provenance = profile.provenance
        guard let source = provenance.source else {
            return "\(provenance.promptCount) prompts, statistics \((provenance.statisticsDigest ?? "").prefix(12))..."
        }
        return "\(source.fileName) (\(source.format), \(source.fileDigest.prefix(12))...)"
            + (source.origin.isEmpty ? "" : ", \(source.origin)")
    }

    /// The evidence on lines of its own, each after a new line; empty without evidence.
    private var evidenceText: String {
        guard let evidence = profile.evidence else { return "" }
        let seeds = evidence.seeds.count, prompts = evidence.promptCount, arithmetic = evidence.sampling.arithmetic
        let head =
            "\nproof      \(prompts) held-out prompt\(prompts == 1 ? "" : "s") x \(seeds) seed\(seeds == 1 ? "" : "s") "
            + "against the full cache, corpus \(evidence.corpusDigest.prefix(12))..., vernier \(evidence.toolVersion); "
            + "95 % intervals"
            + (arithmetic == .float32 ? "" : ", \(arithmetic.rawValue) arithmetic")
        return head
            + evidence.figures.map { figure in
                let part = figure.promptCount == prompts ? "" : ", first \(figure.promptCount) prompts"
                return "\n           \(figure.metric) \(Self.short(figure.mean)) "
                    + "(\(Self.short(figure.low)) to \(Self.short(figure.high)))\(part)"
            }.joined()
    }

    /// Four decimals at most.
    private static func short(_ value: Double) -> String { "\((value * 10_000).rounded() / 10_000)" }
}
