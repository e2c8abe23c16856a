import Generation
import ProfileFormat
import Refinement
import VernierCore

/// Fits the plans of a frontier's refined methods; what is fitted once serves every storage format.
final class PlanFitter {
    private let refiner: PlanRefiner?
    private var fitted: [(plain: PoolingPlan, refined: PoolingPlan, selection: SelectionRule)] = []

    init(model: ImageModel, request: RefinementRequest?) throws {
        refiner = try request.map { try PlanRefiner(model: model, request: $0) }
    }

    /// The profile with fitted numbers. Throws ``VernierError/Code/invalidArgument`` without prompts to fit to.
    func fit(_ profile: Profile, name: String) throws -> Profile {
        guard let refiner else {
            throw VernierError(
                .invalidArgument, at: name, expected: "calibration prompts to fit to", found: "none",
                remedy: "Give --refine-prompts and --refine.")
        }
        if let known = fitted.first(where: { $0.plain == profile.plan }) {
            return try profile.replacing(plan: known.refined, selection: known.selection)
        }
        let refined = try refiner.refine(profile, name: name).0
        if let plain = profile.plan, let plan = refined.plan { fitted.append((plain, plan, refined.selection)) }
        return refined
    }
}
