import CalibrationStatistics
import Checkpoints
import ProfileFormat
import TestSupport
import Testing
import VernierCore

@testable import ProfileCompiler

/// HeatKV's published 2B orders as a user gets them: compiled from statistics, and imported from an order file, for the six
/// golden budgets, to the token.
@Suite struct GoldenHeatKVProfileTests {
    static let budgets = [0.7, 0.4, 0.2, 0.1, 0.05, 0.02]
    private static let layers = 32
    private static let heads = 16
    private static let sinkScales = 3
    private static let schedule = InfinitySchedule(resolution: .full).schedule

    /// Every head once, as [source scale][rank] of (head, layer).
    private static func orders() throws -> [[(head: Int, layer: Int)]] {
        let golden = try Golden.open("heatkv-schedule-2b")
        let numbers = try golden.int32("orders", shape: [9, layers * heads, 2]).map(Int.init)
        return (0..<9).map { source in
            (0..<layers * heads).map { rank in
                let place = 2 * (source * layers * heads + rank)
                return (numbers[place], numbers[place + 1])
            }
        }
    }

    /// An order file as the released ones are written.
    private static func orderFile() throws -> String {
        let rows = try orders().map { row in "[\(row.map { "[\($0.head), \($0.layer)]" }.joined(separator: ", "))]" }
        return "[\(rows.joined(separator: ",\n"))]"
    }

    /// Statistics in which every head attends to a source scale the more the later the published order drops it.
    private static let statistics: Result<CalibrationStatistics, any Error> = Result {
        let published = try orders(), sources = schedule.scaleCount - 1
        var masses = [[Double]](repeating: Array(repeating: 0.01, count: layers * heads), count: sources)
        for (place, order) in published.enumerated() {
            for (rank, slot) in order.enumerated() {
                masses[sinkScales + place][slot.layer * heads + slot.head] = Double(rank + 1) / Double(16 * order.count)
            }
        }
        return try SyntheticStatistics.positions(
            layers: layers, heads: heads, branches: 1, schedule: schedule
        ) { _, layer, head, scale in
            (0..<scale).flatMap { source in
                let tokens = schedule.tokenCount(source)
                return [Double](repeating: masses[source][layer * heads + head] / Double(tokens), count: tokens)
            }
        }
    }

    /// The history positions that each cell of a plan holds, against the golden schedule.
    private static func expectGolden(_ profile: Profile, budget: Int) throws {
        let absent = try Golden.open("heatkv-schedule-2b").uint8("absent_from.\(budget)", shape: [9, layers, heads])
        let plan = try #require(profile.plan)
        for layer in 0..<layers {
            for head in 0..<heads {
                var held: [Int] = []
                for scale in 1..<schedule.scaleCount {
                    held += schedule.historyTokens(scale - 1)..<schedule.historyTokens(scale)
                    let map = plan.map(branch: 0, scale: scale, layer: layer, head: head)
                    #expect(map.sourceCount == held.count)
                    if !map.isIdentity {
                        held = zip(held, map.targets).filter { $0.1 != BoundaryMap.dropped }.map(\.0)
                    }
                    let expected = (0..<scale).flatMap { source -> [Int] in
                        let stays =
                            source < sinkScales
                            || absent[((source - sinkScales) * layers + layer) * heads + head] > scale
                        let tokens = schedule.historyTokens(source)..<schedule.historyTokens(source + 1)
                        return stays ? Array(tokens) : []
                    }
                    if held != expected {
                        Issue.record("budget \(budgets[budget]), scale \(scale), layer \(layer), head \(head)")
                        return
                    }
                    #expect(profile.capacities[0, scale, layer, head] == held.count)
                    #expect(
                        map.weightCodes.isEmpty && map.keyCodes.isEmpty && map.biasCodes.isEmpty, "nothing is merged")
                }
            }
        }
    }

    @Test(arguments: budgets.indices) func policyWithScaleBlocksGivesThePublishedSchedule(_ index: Int) throws {
        let profile = try compile(
            statistics: Self.statistics.get(),
            request: CompilationRequest(
                policy: PolicyDescription(name: "heatkv"), budget: .keptShare(Self.budgets[index]),
                selection: .scaleBlocks, toolVersion: "test"))
        #expect(profile.policy.parameters == ["activation": "strict", "sinkScales": 3])
        try Self.expectGolden(profile, budget: index)
    }

    @Test(arguments: budgets.indices) func anOrderFileGivesThePublishedSchedule(_ index: Int) throws {
        let folder = TemporaryDirectory()
        try AtomicFile.write(Self.orderFile(), to: folder.file("2b.json"))
        let configuration = try ModelRelease(named: "infinity-2b").configuration
        let imported = try importHeatKVOrders(
            contentsOf: folder.file("2b.json"), budget: .keptShare(Self.budgets[index]),
            target: ImportTarget(
                model: configuration.architectureIdentity(), schedule: configuration.schedule, toolVersion: "test"))
        #expect(imported.warnings == [])
        let profile = imported.profile
        #expect(profile.selection == .scaleBlocks && profile.model.weightsDigest == nil)
        #expect(profile.policy.parameters == ["activation": "strict", "sinkScales": 3])
        #expect(profile.provenance.source?.format == "heatkv-order")
        // The budget holds at every boundary, and in the file it is the same profile.
        for scale in 0..<13 {
            let tokens = profile.capacities.totalTokens(scale: scale, branch: 0)
            #expect(Double(tokens) <= Self.budgets[index] * 6425 * 512 + 1e-3)
        }
        let again = try Profile(parsing: profile.canonicalText(), name: "p.json")
        #expect(again == profile)
        try Self.expectGolden(again, budget: index)
        // A budget file cannot say which blocks; what it could say is refused for what it cannot.
        let error = try #require(throws: VernierError.self) { try exportScaleKVBudgets(profile, name: "p.json") }
        #expect(error.description.contains("the boundary maps of the rule scale-blocks cannot be said"))
    }
}
