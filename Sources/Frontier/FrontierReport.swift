import Evaluation
import ProfileFormat
import VernierCore

/// What a frontier found: one point a method, budget and storage format, and what could not be run.
public struct FrontierReport: Sendable {
    /// The model that was measured.
    public let model: ModelIdentity
    /// What the model chooses, `bit` or `token`.
    let choice: String
    /// The digest of the statistics that everything was compiled from.
    public let statisticsDigest: String
    /// The prompts behind the statistics.
    public let calibrationPrompts: Int
    /// What was asked for.
    public let request: FrontierRequest
    /// Everything else that decides the numbers, for `frontier.json`.
    public let settings: JSONValue
    /// The full cache.
    public let baseline: EvaluationRow
    /// The points, by method, budget and storage format in the order of the request.
    public let points: [FrontierPoint]
    /// The variants that did not stand for their method.
    public let otherVariants: [FrontierPoint]
    /// What the compiler or the runtime refused.
    public let gaps: [FrontierGap]
    /// Places in ``points`` of the pareto set, by ascending bytes: no other point has as high a PSNR in as few bytes.
    public let paretoSet: [Int]

    init(
        request: FrontierRequest, model: ModelIdentity, choice: String, statisticsDigest: String,
        calibrationPrompts: Int,
        settings: JSONValue, baseline: EvaluationRow, points: [FrontierPoint], otherVariants: [FrontierPoint],
        gaps: [FrontierGap]
    ) throws {
        self.request = request
        self.model = model
        self.choice = choice
        self.statisticsDigest = statisticsDigest
        self.calibrationPrompts = calibrationPrompts
        self.settings = settings
        self.baseline = baseline
        self.points = points
        self.otherVariants = otherVariants
        self.gaps = gaps
        paretoSet = Self.paretoSet(points.map { (bytes: $0.residentBytes, value: $0.psnr) })
    }

    /// The places that no other point beats: fewer bytes or the same, and a value as high. By ascending bytes; of equal
    /// points the first.
    static func paretoSet(_ points: [(bytes: Int, value: Double)]) -> [Int] {
        let order = points.indices.sorted {
            (points[$0].bytes, -points[$0].value, $0) < (points[$1].bytes, -points[$1].value, $1)
        }
        var best = -Double.infinity
        return order.filter { place in
            guard points[place].value > best else { return false }
            best = points[place].value
            return true
        }
    }

    /// The point of a method at a budget in a format.
    func point(_ method: String, _ budget: BudgetRequest, _ storage: CellStorage) -> FrontierPoint? {
        points.first { $0.method == method && $0.budget == budget && $0.storage == storage }
    }

    /// The points that are compared with the compared method's at the same budget in the same format.
    var comparedPairs: [(point: FrontierPoint, reference: FrontierPoint)] {
        guard let name = request.comparedMethod else { return [] }
        return points.compactMap { point in
            guard point.method != name else { return nil }
            return self.point(name, point.budget, point.storage).map { (point, $0) }
        }
    }
}
