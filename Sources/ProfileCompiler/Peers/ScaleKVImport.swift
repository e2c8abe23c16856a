import ProfileFormat
import VernierCore

/// Makes a profile of ScaleKV's released budget file (``ScaleKVBudgets``).
///
/// Every head of a block gets the block's budget; scales before the one called 9 hold their whole history, as under the
/// released code. Unless the target says otherwise the rule is `scalekv-compat`, which is what the released code runs.
///
/// Throws ``VernierError/Code/malformedFile`` for a damaged file and ``VernierError/Code/mismatch`` for one of another
/// model or schedule. `warnings` names budgets that a block cannot reach and that were cut, since what was evicted never
/// returns.
public func importScaleKVBudgets(contentsOf path: String, target: ImportTarget) throws -> ImportedProfile {
    try importScaleKV(PeerFile(path: path), target: target)
}

/// Makes a profile of the table of `target.model` in a file of ScaleKV's numbers in short (``ScaleKVRows``); it is the
/// profile that the released file makes. The target's origin, if empty, is the table's.
///
/// - Parameter release: the model's name in the file, for example `infinity-2b`.
public func importScaleKVRows(contentsOf path: String, release: String, target: ImportTarget) throws -> ImportedProfile
{
    let rows = try ScaleKVRows(reading: PeerFile(path: path).root, model: release)
    var target = target
    if target.origin.isEmpty { target.origin = rows.origin }
    return try importScaleKV(rows.file, target: target)
}

private func importScaleKV(_ file: PeerFile, target: ImportTarget) throws -> ImportedProfile {
    let selection = try target.selection ?? SelectionRule(name: "scalekv-compat")
    guard !selection.isPlanned else {
        throw VernierError(
            .invalidArgument, at: "selection rule '\(selection.name)'", expected: "a rule that chooses at run time",
            found: "a planned one", remedy: "A budget file has no plan.")
    }
    var warnings: [String] = []
    let budgets = try ScaleKVBudgets(reading: file.root, warnings: &warnings)
    let schedule = target.schedule
    guard budgets.blocks == target.model.layers else {
        throw VernierError(
            .mismatch, at: file.name, expected: "\(target.model.layers) blocks, the layers of \(target.model.name)",
            found: "\(budgets.blocks)", remedy: "Import the file for the model that it was made for.")
    }
    guard schedule == ScaleKVBudgets.schedule else {
        throw VernierError(
            .mismatch, at: file.name,
            expected: "the schedule that the released code has built in, "
                + "\(ScaleKVBudgets.schedule)", found: "\(schedule)")
    }
    var capacities = CellCapacities.full(schedule: schedule, layers: target.model.layers, heads: target.model.heads)
    var roles = [[LayerRole]](
        repeating: Array(repeating: .unassigned, count: target.model.layers), count: schedule.scaleCount)
    for (scale, row) in zip(ScaleKVBudgets.scales, budgets.rows) {
        roles[scale] = row.drafters.map { $0 ? .drafter : .refiner }
        for layer in 0..<target.model.layers {
            let bound = capacities[0, scale - 1, layer, 0] + schedule.tokenCount(scale - 1)
            if row.tokens(layer) > bound {
                warnings.append(
                    "\(file.name): \(ScaleKVBudgets.name(scale: scale)), Block \(layer): \(row.tokens(layer)) tokens "
                        + "were asked for, but only \(bound) can be there; \(bound) are kept")
            }
            for head in 0..<target.model.heads {
                capacities[0, scale, layer, head] = min(row.tokens(layer), bound)
            }
        }
    }
    let last = schedule.scaleCount - 1
    let mean =
        Double(capacities.totalTokens(scale: last, branch: 0)) / Double(target.model.layers * target.model.heads)
    let profile = try Profile(
        model: target.model, schedule: schedule, policy: PolicyDescription(name: "scalekv"), selection: selection,
        storage: target.storage, requestedBudget: .tokensPerCell(mean), capacities: capacities, roles: roles,
        provenance: Provenance(
            toolVersion: target.toolVersion,
            source: ImportedSource(
                format: ScaleKVBudgets.format, fileName: file.name, fileDigest: file.digest, origin: target.origin)))
    return ImportedProfile(profile: profile, warnings: warnings)
}
