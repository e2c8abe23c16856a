import ProfileFormat

/// One competitor of a frontier: a named way to compile a profile, in one variant or several.
///
/// Where a paper leaves parameters open, a method has several variants; the best of them at each budget stands for the
/// method, chosen on pictures that are reported (all of them, or the first ones if there are many), so that a peer is
/// never shown below what it can do.
public struct FrontierMethod: Sendable, Hashable {
    /// One setting of a method: what to ask the compiler for.
    ///
    /// Rules are kept by name, not as ``ProfileFormat/SelectionRule``, so that the table may name rules and policies that
    /// this build lacks; they end up among the methods that were not run.
    public struct Variant: Sendable, Hashable {
        /// What tells the variant from the method's others, for example `8 drafters, raw index`; empty for an only one.
        public let label: String
        /// The allocation policy with those parameters that differ from the default.
        public let policy: PolicyDescription
        /// The selection rule's name.
        public let selection: String
        /// Those parameters of the selection rule that differ from the default.
        public let selectionParameters: Parameters
        /// Whether the plan's numbers are fitted to calibration prompts afterwards.
        public let isRefined: Bool

        /// Makes a variant.
        public init(
            _ label: String = "", policy: String, _ policyParameters: Parameters = [:], selection: String,
            _ selectionParameters: Parameters = [:], isRefined: Bool = false
        ) {
            self.label = label
            self.policy = PolicyDescription(name: policy, parameters: policyParameters)
            self.selection = selection
            self.selectionParameters = selectionParameters
            self.isRefined = isRefined
        }
    }

    /// The name in reports and on the command line.
    public let name: String
    /// What the method does, in one sentence.
    public let summary: String
    /// Its settings; at least one.
    public let variants: [Variant]
    /// The one budget of a method that has no use for others (the full cache); nil for all that are asked for.
    public let fixedBudget: BudgetRequest?

    /// Makes a method.
    ///
    /// - Precondition: there is at least one variant.
    public init(_ name: String, _ summary: String, _ variants: [Variant], fixedBudget: BudgetRequest? = nil) {
        precondition(!variants.isEmpty, "there is at least one variant")
        self.name = name
        self.summary = summary
        self.variants = variants
        self.fixedBudget = fixedBudget
    }
}
