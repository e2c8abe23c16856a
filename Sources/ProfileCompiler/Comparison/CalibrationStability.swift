import CalibrationStatistics
import ProfileFormat
import VernierCore

/// Whether a calibration has seen enough prompts: how far what it decides changes when prompts are drawn anew.
///
/// From the rows that statistics keep for each prompt, n prompts are drawn with replacement, the policy `scalekv` decides
/// anew, and what it decides is compared with what it decides from all prompts (``ProfileOverlap``). Policies that need
/// sums without rows (plans, `rate-distortion`) cannot be tried so; compare two shards of the calibration with
/// `vernier overlap` instead.
///
/// Source: Efron and Tibshirani 1993, chapter 6. The same statistics and seed give the same numbers.
public struct CalibrationStability: Sendable, Hashable {
    /// How often prompts are drawn for each count.
    public static let resamples = 40
    /// The share of the draws that agree at least as far as ``Row/capacityOverlapLow``.
    public static let confidence = 0.95
    /// The fewest prompts that can be judged.
    public static let fewestPrompts = 4

    /// What n prompts decide, compared with what all decide.
    public struct Row: Sendable, Hashable {
        /// n.
        public let promptCount: Int
        /// Mean of ``ProfileOverlap/drafterJaccard``, 0 to 1.
        public let drafterJaccard: Double
        /// Mean of ``ProfileOverlap/capacityOverlap``, 0 to 1.
        public let capacityOverlap: Double
        /// What 95 % of the draws reach of it.
        public let capacityOverlapLow: Double
    }

    /// The prompts behind the statistics.
    public let promptCount: Int
    /// The budget at which the policy decided.
    public let budget: BudgetRequest
    /// By ascending prompt count: powers of two below ``promptCount``, then that.
    public let rows: [Row]

    /// Whether as many prompts drawn anew decide the same for practical purposes: 95 % of the draws overlap by at least
    /// ``ProfileOverlap/sameAgreement``.
    public var isStable: Bool { (rows.last?.capacityOverlapLow ?? 0) >= ProfileOverlap.sameAgreement }

    /// Draws prompts anew; nil for fewer than ``fewestPrompts``.
    ///
    /// Throws what the policy throws, for example ``VernierError/Code/infeasibleBudget``.
    /// - Complexity: O(log(prompts) * 40) allocations.
    public init?(
        _ statistics: CalibrationStatistics, budget: BudgetRequest = .keptShare(0.1), seed: UInt64 = 0
    ) throws {
        let prompts = statistics.promptCount
        guard prompts >= Self.fewestPrompts else { return nil }
        let generator = CounterGenerator(seed: seed)
        let reference = try Self.allocation(statistics, budget)
        var counter: UInt64 = 0
        let powers = sequence(first: 2) { $0 * 2 }.prefix { $0 < prompts }
        rows = try (Array(powers) + [prompts]).map { count in
            let overlaps = try (0..<Self.resamples).map { _ in
                let drawn = (0..<count).map { _ in
                    counter += 1
                    return generator.index(at: counter - 1, below: prompts)
                }
                return ProfileOverlap(
                    reference, try Self.allocation(statistics.resampled(prompts: drawn), budget),
                    schedule: statistics.schedule)
            }
            let overlap = overlaps.map(\.capacityOverlap).sorted()
            return Row(
                promptCount: count,
                drafterJaccard: overlaps.reduce(0) { $0 + ($1.drafterJaccard ?? 1) } / Double(Self.resamples),
                capacityOverlap: overlap.reduce(0, +) / Double(Self.resamples),
                capacityOverlapLow: overlap[Int((1 - Self.confidence) * Double(Self.resamples))])
        }
        promptCount = prompts
        self.budget = budget
    }

    private static func allocation(_ statistics: CalibrationStatistics, _ budget: BudgetRequest) throws -> Allocation {
        let policy = ScaleKVPolicy()
        let parameters = try PolicyParameter.complete([:], policy.parameters, place: "policy '\(policy.name)'")
        return try SlotSearch(
            statistics: statistics, policy: policy, parameters: parameters,
            request: CompilationRequest(
                policy: PolicyDescription(name: policy.name), budget: budget, toolVersion: "stability"),
            storage: .float32
        ).allocation()
    }

    /// One line for people, for example `stable for 32 prompts: 95 % of draws keep at least 98.2 % of the capacities
    /// (scalekv at 10.0 % of the full cache)`.
    public var summary: String {
        let low = Self.percent(rows.last?.capacityOverlapLow ?? 0)
        let what = "95 % of draws keep at least \(low) of the capacities (scalekv at \(budget))"
        return isStable
            ? "stable for \(promptCount) prompts: \(what)"
            : "not stable for \(promptCount) prompts: \(what), \(Self.percent(ProfileOverlap.sameAgreement)) is needed. "
                + "More prompts help."
    }

    /// The rows as text: one line a prompt count, each without a new line.
    public var table: [String] {
        rows.map { row in
            "\(row.promptCount) prompts: capacities overlap \(Self.percent(row.capacityOverlap)) "
                + "(95 % of draws at least \(Self.percent(row.capacityOverlapLow))), drafters "
                + Self.percent(row.drafterJaccard)
        }
    }

    private static func percent(_ share: Double) -> String { "\((share * 1000).rounded() / 10) %" }
}
