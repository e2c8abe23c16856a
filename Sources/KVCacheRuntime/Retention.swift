import ProfileFormat
import VernierCore

/// How a cache comes down to its capacities at scale boundaries: by a rule that chooses tokens while it runs, or by a
/// plan that was fixed when the profile was compiled.
public struct Retention: Sendable {
    private enum Kind: Sendable {
        case rule(any SlotSelector)
        case plan(PoolingPlan)
    }
    private let kind: Kind

    /// Cells keep everything until their capacity is exceeded, then the tokens that `selector` chooses.
    public static func rule(_ selector: any SlotSelector) -> Retention { Retention(kind: .rule(selector)) }
    /// Cells keep the slots that `plan` makes.
    public static func plan(_ plan: PoolingPlan) -> Retention { Retention(kind: .plan(plan)) }

    /// What a profile asks for.
    ///
    /// Throws ``VernierError/Code/unsupportedVersion`` for a rule that this runtime does not carry out; `name` is what
    /// the message calls the profile. The rule `oracle` needs the `tape` of a full-cache run; see
    /// ``SelectorRegistry/selector(for:at:tape:)``.
    public init(of profile: Profile, named name: String = "profile", tape: AttentionTape? = nil) throws {
        if let plan = profile.plan {
            kind = .plan(plan)
        } else {
            kind = .rule(try SelectorRegistry.selector(for: profile.selection, at: name, tape: tape))
        }
    }

    private init(kind: Kind) { self.kind = kind }

    /// What happens at the boundaries of a cache of these sizes.
    ///
    /// Throws ``VernierError/Code/mismatch`` if the plan is of another schedule or of other capacities.
    func boundaryStep(geometry: CacheGeometry, capacities: CellCapacities) throws -> any BoundaryStep {
        switch kind {
        case .rule(let selector):
            return SelectingRetention(selector: selector, schedule: geometry.schedule)
        case .plan(let plan):
            guard plan.capacities == capacities else {
                throw VernierError(
                    .mismatch, at: "KV cache", expected: "the plan's own slot counts as capacities",
                    found: "other capacities", remedy: "Take plan and capacities of the same profile.")
            }
            try requireFit(plan, geometry.schedule)
            return PoolingRetention(plan: plan)
        }
    }

    /// The plan's maps must begin at the schedule's tokens, or sums would read past them.
    private func requireFit(_ plan: PoolingPlan, _ schedule: ScaleSchedule) throws {
        for branch in 0..<plan.branchCount {
            for scale in 1..<schedule.scaleCount {
                for layer in 0..<plan.layerCount {
                    for head in 0..<plan.headCount {
                        let map = plan.map(branch: branch, scale: scale, layer: layer, head: head)
                        let before = plan.map(branch: branch, scale: scale - 1, layer: layer, head: head).slotCount
                        let expected = before + schedule.tokenCount(scale - 1)
                        guard map.sourceCount == expected else {
                            throw VernierError(
                                .mismatch, at: "KV cache, scale \(scale), layer \(layer), head \(head)",
                                expected: "a boundary map of \(expected) sources", found: "\(map.sourceCount)",
                                remedy: "Take a plan that was compiled for this schedule.")
                        }
                    }
                }
            }
        }
    }
}
