import Foundation
import ProfileFormat
import VernierCore

/// Loading profiles of Infinity-2B at 1M with 10 % kept: capacities alone, with a pooling plan, and with one whose
/// coefficients and biases were fitted.
struct ProfileCase {
    private let folder: URL
    private let files: [(variant: String, path: String, byteCount: Int)]

    init() throws {
        folder = FileManager.default.temporaryDirectory.appendingPathComponent("VernierBench-profile-\(getpid())")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        let plain = try Self.plan(fitted: false), folder = folder
        let profiles = [
            ("capacities", try Self.profile(capacities: plain.capacities, plan: nil)),
            ("pooling plan", try Self.profile(capacities: plain.capacities, plan: plain)),
            ("fitted pooling plan", try Self.profile(capacities: plain.capacities, plan: try Self.plan(fitted: true))),
        ]
        files = try profiles.enumerated().map { index, profile in
            let path = folder.appendingPathComponent("\(index).json").path
            try profile.1.write(to: path)
            return (profile.0, path, try Data(contentsOf: URL(fileURLWithPath: path)).count)
        }
    }

    /// Removes what ``init()`` wrote.
    func clean() throws { try FileManager.default.removeItem(at: folder) }

    func run() throws -> [Sample] {
        try files.map { variant, path, byteCount in
            let seconds = try Stopwatch.seconds { _ = try Profile(contentsOf: path) }
            return Sample(
                name: "load a profile, Infinity-2B 1M 10 %", variant: variant, seconds: seconds,
                bytes: Double(byteCount))
        }
    }

    private static let schedule = InfinitySchedule(resolution: .full).schedule
    private static let (layers, heads) = (32, 16)

    /// Groups that lie within each other's reach, another pattern for every cell.
    private static func plan(fitted: Bool) throws -> PoolingPlan {
        let random = CounterGenerator(seed: 1)
        var maps: [BoundaryMap] = [], before = [Int](repeating: 0, count: layers * heads), drawn: UInt64 = 0
        func draw(below bound: Int) -> Int {
            drawn += 1
            return random.index(at: drawn, below: bound)
        }
        // By place, so that both plans draw the same groups.
        func numbers(_ count: Int) -> [Float] {
            (0..<count).map { Float(random.index(at: UInt64($0), below: 1024)) / 1024 }
        }
        for scale in 0..<schedule.scaleCount {
            for cell in before.indices {
                let kept = schedule.finalHistoryTokens / 10 * (50 + cell % 101) / 100
                let sources = scale == 0 ? 0 : before[cell] + schedule.tokenCount(scale - 1)
                var map = BoundaryMap(keeping: sources)
                if sources > kept {
                    map = BoundaryMap(
                        labels: (0..<sources).map { min($0 * kept / sources + draw(below: 16), kept - 1) })
                    if fitted {
                        map = map.fitted(
                            keyCoefficients: numbers(sources), valueCoefficients: numbers(sources),
                            biasSteps: numbers(map.slotCount))
                    }
                }
                before[cell] = map.slotCount
                maps.append(map)
            }
        }
        return try PoolingPlan(
            schedule: schedule, branchCount: 1, layerCount: layers, headCount: heads, maps: maps)
    }

    private static func profile(capacities: CellCapacities, plan: PoolingPlan?) throws -> Profile {
        try Profile(
            model: ModelIdentity(
                family: "infinity", name: "bench", branches: 2, layers: layers, heads: heads, headWidth: 128,
                shapeDigest: Digest.of([]), weightsDigest: Digest.of([])),
            schedule: schedule, policy: PolicyDescription(name: "bench"),
            selection: plan == nil ? .attentionMass() : .poolingPlan(), storage: CellStorage(uniform: .float32),
            requestedBudget: BudgetRequest.parse("100%"), capacities: capacities, plan: plan,
            provenance: Provenance(
                toolVersion: "bench", statisticsDigest: Digest.of([]), corpusDigest: Digest.of([]), promptCount: 1,
                seed: 0))
    }
}
