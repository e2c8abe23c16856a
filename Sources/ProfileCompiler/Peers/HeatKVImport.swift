import ProfileFormat
import VernierCore

/// Makes a profile of HeatKV's released order file (``HeatKVOrders``) and a budget: the pruning schedule that the released
/// code makes of them, as boundary maps under the rule `scale-blocks`.
///
/// - Parameters:
///   - budget: a share of the last scale's history, or mean tokens per cell.
///   - isStrict: whether the budget holds after every layer's write, as released, or when a scale begins.
///
/// Throws ``VernierError/Code/malformedFile`` for a damaged file or one of other sizes,
/// ``VernierError/Code/infeasibleBudget`` if the sink scales alone exceed the budget, and
/// ``VernierError/Code/invalidArgument`` for a budget in bytes or another selection rule.
public func importHeatKVOrders(
    contentsOf path: String, budget: BudgetRequest, isStrict: Bool = true, target: ImportTarget
) throws -> ImportedProfile {
    let file = try PeerFile(path: path)
    try budget.validate()
    let model = target.model, schedule = target.schedule
    guard let slots = budget.slots(schedule: schedule, cells: model.layers * model.heads) else {
        throw VernierError(
            .invalidArgument, at: "budget", expected: "a share or tokens per cell", found: "\(budget)",
            remedy: "Whole blocks fall; give the share that the released code takes.")
    }
    if let selection = target.selection, selection != .scaleBlocks {
        throw VernierError(
            .invalidArgument, at: "selection rule '\(selection.name)'", expected: SelectionRule.scaleBlocks.name,
            found: "another", remedy: "An order file says which blocks are kept.")
    }
    let orders = try HeatKVOrders(reading: file.root, layers: model.layers, heads: model.heads, schedule: schedule)
    let blocks = try HeatKVSchedule(
        schedule: schedule, layers: model.layers, heads: model.heads, sinkScales: orders.sinkScales,
        orders: orders.orders, slots: slots, isStrict: isStrict)
    let plan = try blocks.plan()
    let profile = try Profile(
        model: model, schedule: schedule,
        policy: PolicyDescription(
            name: HeatKVPolicy().name,
            parameters: [
                "activation": isStrict ? "strict" : "boundary", "sinkScales": .integer(Int64(orders.sinkScales)),
            ]),
        selection: .scaleBlocks, storage: target.storage, requestedBudget: budget, capacities: plan.capacities,
        plan: plan,
        provenance: Provenance(
            toolVersion: target.toolVersion,
            source: ImportedSource(
                format: HeatKVOrders.format, fileName: file.name, fileDigest: file.digest, origin: target.origin)))
    return ImportedProfile(profile: profile, warnings: [])
}
