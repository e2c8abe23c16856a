import CalibrationStatistics
import Foundation
import ProfileFormat
import TestSupport
import Testing
import VernierCore

@testable import ProfileCompiler

/// The layers that the benchmark compiles; nil if it was not asked for.
private let layersToCompile = ProcessInfo.processInfo.environment["VERNIER_SCALE"].flatMap { Int($0) }

/// Times, sizes and memory of pooling plans as large as Infinity-2B's at 1M: 32 layers of 16 heads, 2 branches, 6,425
/// tokens of history, 10 % kept. Runs only if `VERNIER_SCALE` is the number of layers to compile:
///
///     VERNIER_SCALE=4 swift test -c release -Xswiftc -enable-testing --filter ScaleBenchmark
///
/// 32 layers take 5.2 GB of sketches; cells are alike and independent, so fewer layers tell the time of all.
@Suite(.enabled(if: layersToCompile != nil), .serialized)
struct ScaleBenchmark {
    static let sides = [1, 2, 4, 6, 8, 12, 16, 20, 24, 32, 40, 48, 64]
    static let heads = 16, signs = 32, slots = 642.5

    // MARK: - Compiling

    @Test(arguments: [
        SelectionRule.poolingPlan(), .poolingPlan(massWeighted: false, sharedBranches: false),
    ])
    func compiles(selection: SelectionRule) throws {
        let layers = try #require(layersToCompile)
        let statistics = try Self.statistics(layers: layers)
        Self.report("statistics of \(layers) layers: \(Self.memory())")
        Self.forgetPeak()
        var profile: Profile?
        let time = try Self.measure {
            profile = try compile(
                statistics: statistics,
                request: CompilationRequest(
                    policy: PolicyDescription(name: "rate-distortion"), budget: .tokensPerCell(Self.slots),
                    selection: selection, toolVersion: "benchmark"))
        }
        Self.report("compiled \(selection), \(layers) layers: \(time), \(Self.memory())")
        try Self.file(try #require(profile), "compiled")
    }

    // MARK: - Reading

    /// What is stored beside the groups.
    enum Numbers: CaseIterable { case plain, weighted, refined }

    @Test(arguments: [1, 2], Numbers.allCases) func reads(branches: Int, numbers: Numbers) throws {
        let plan = try Self.plan(branches: branches, numbers: numbers)
        let profile = try Profile(
            model: Self.model(layers: 32), schedule: SyntheticStatistics.schedule(Self.sides),
            policy: PolicyDescription(name: "rate-distortion"), selection: .poolingPlan(), storage: .float32,
            requestedBudget: .tokensPerCell(Self.slots), capacities: plan.capacities, plan: plan,
            provenance: Provenance(
                toolVersion: "benchmark", statisticsDigest: SyntheticStatistics.digest,
                corpusDigest: SyntheticStatistics.digest, promptCount: 1, seed: 1))
        try Self.file(profile, "32 layers, \(branches == 1 ? "shared" : "two") tables, \(numbers)")
    }

    /// Writes the profile and reads it some times.
    private static func file(_ profile: Profile, _ name: String) throws {
        let folder = TemporaryDirectory(), path = folder.file("profile.json")
        let writing = try measure { try profile.write(to: path) }
        let bytes = try MappedFile(path: path).count
        var isSame = true, times: [Time] = []
        for _ in 0..<15 {
            var read: Profile?
            times.append(try measure { read = try Profile(contentsOf: path) })
            isSame = isSame && read == profile
        }
        times.sort { $0.processor < $1.processor }
        report("\(name): \(bytes) bytes, written: \(writing), read: \(times[0]) (least), \(times[7]) (median)")
        #expect(isSame)
    }

    // MARK: - Inputs

    private static func model(layers: Int) throws -> ModelIdentity {
        try ModelIdentity(
            family: "synthetic", name: "synthetic", branches: 2, layers: layers, heads: heads, headWidth: 128,
            shapeDigest: SyntheticStatistics.digest, weightsDigest: SyntheticStatistics.digest)
    }

    /// A plan with random groups of the benchmark's sizes.
    private static func plan(branches: Int, numbers: Numbers) throws -> PoolingPlan {
        let schedule = try SyntheticStatistics.schedule(sides), cells = 32 * heads, kept = Int(slots)
        var random = SplitMix64(seed: 5), maps: [BoundaryMap] = []
        for _ in 0..<branches {
            for scale in sides.indices {
                let before = scale == 0 ? 0 : min(schedule.historyTokens(scale - 1), kept)
                let sources = scale == 0 ? 0 : before + schedule.tokenCount(scale - 1)
                for _ in 0..<cells {
                    guard sources > kept else {
                        maps.append(BoundaryMap(keeping: sources))
                        continue
                    }
                    let labels = (0..<sources).map { $0 < kept ? $0 : Int(random.next() % UInt64(kept)) }
                    let map = BoundaryMap(labels: labels.shuffled(using: &random))
                    switch numbers {
                    case .plain: maps.append(map)
                    case .weighted: maps.append(map.weighted(by: random.floats(sources, in: 0.01...1)))
                    case .refined:
                        maps.append(
                            map.fitted(
                                keyCoefficients: random.floats(sources), valueCoefficients: random.floats(sources),
                                biasSteps: random.floats(kept)))
                    }
                }
            }
        }
        return try PoolingPlan(
            schedule: schedule, branchCount: branches, layerCount: 32, headCount: heads, maps: maps)
    }

    /// One prompt whose sketches are smooth fields over the maps: waves of each head's own, and some noise.
    private static func statistics(layers: Int) throws -> CalibrationStatistics {
        var statistics = try CalibrationStatistics(
            identity: model(layers: layers), schedule: SyntheticStatistics.schedule(sides),
            settings: CalibrationSettings(
                topCounts: [1], signCount: signs, seed: 11, guidance: 3, temperature: 1, topP: 1,
                toolVersion: "benchmark"),
            corpus: CorpusReference(digest: SyntheticStatistics.digest, promptCount: 1))
        let layout = statistics.layout, schedule = statistics.schedule
        var prompt = AttentionStatistics(layout: layout)
        // Lent, so that a second copy is never there.
        var sketches = statistics.lendSketches()
        var random = SplitMix64(seed: 7)
        for branch in 0..<2 {
            for layer in 0..<layers {
                for head in 0..<heads {
                    let field = Field(schedule: schedule, signs: signs, random: &random)
                    field.write(
                        1, seed: random.next(), layout.finalPositions(branch: branch, layer: layer, head: head),
                        &sketches.all.value)
                    for scale in 1..<sides.count {
                        let rows = layout.positions(branch: branch, layer: layer, head: head, scale: scale)
                        let queries = Float(schedule.tokenCount(scale)).squareRoot()
                        field.write(
                            0.3 * queries / Float(rows.count), seed: random.next(), rows, &sketches.all.attention)
                        field.write(2 * queries, seed: random.next(), rows, &sketches.all.key)
                        for position in rows { prompt.positionMass[position] = 0.5 / Double(rows.count) }
                        for source in 0..<scale {
                            prompt.sourceMass[
                                layout.sourceMassIndex(
                                    branch: branch, layer: layer, head: head, scale: scale, source: source)] =
                                0.5 * Double(schedule.tokenCount(source)) / Double(rows.count)
                        }
                    }
                    for scale in sides.indices {
                        prompt.currentMass[layout.cell(branch: branch, layer: layer, head: head, scale: scale)] =
                            scale == 0 ? 1 : 0.5
                    }
                }
            }
        }
        try statistics.count(prompt, corpusIndex: 0, promptDigest: SyntheticStatistics.digest)
        sketches.all.promptCount = 1
        statistics.returnSketches(sketches)
        return statistics
    }

    /// A few waves over the maps, the same for every map, so that what lies at one place of two maps looks alike.
    private struct Field {
        let signs: Int
        let size: Float
        /// `[positions][waves]`.
        let waves: [Float]
        static let waveCount = 6

        init(schedule: ScaleSchedule, signs: Int, random: inout SplitMix64) {
            self.signs = signs
            size = exp(random.float())
            let turns = random.floats(3 * Self.waveCount, in: 0...3)
            waves = (0..<schedule.scaleCount - 1).flatMap { scale -> [Float] in
                let grid = schedule.grids[scale]
                return (0..<grid.tokenCount).flatMap { token -> [Float] in
                    let y = (Float(token / grid.width) + 0.5) / Float(grid.height)
                    let x = (Float(token % grid.width) + 0.5) / Float(grid.width)
                    return (0..<Self.waveCount).map { wave in
                        cos(2 * Float.pi * (turns[3 * wave] * y + turns[3 * wave + 1] * x + turns[3 * wave + 2]))
                            + 0.1 * Float(scale)
                    }
                }
            }
        }

        /// Fills rows of `signs` numbers, those of the first positions, with projections of the waves.
        func write(_ factor: Float, seed: UInt64, _ rows: Range<Int>, _ values: inout [Float]) {
            var random = SplitMix64(seed: seed)
            let directions = random.floats(Self.waveCount * signs).map { $0 * factor * size }
            var noise = UInt32(truncatingIfNeeded: seed) | 1
            values.withUnsafeMutableBufferPointer { values in
                waves.withUnsafeBufferPointer { waves in
                    directions.withUnsafeBufferPointer { directions in
                        for row in 0..<rows.count {
                            let to = (rows.lowerBound + row) * signs
                            for r in 0..<signs {
                                noise = noise &* 1_664_525 &+ 1_013_904_223
                                var sum = 0.2 * factor * size * (Float(noise >> 8) / Float(1 << 24) - 0.5)
                                for wave in 0..<Self.waveCount {
                                    sum += waves[row * Self.waveCount + wave] * directions[wave * signs + r]
                                }
                                values[to + r] = sum
                            }
                        }
                    }
                }
            }
        }
    }

    // MARK: - Reporting

    /// On a busy machine only the processor's time says something.
    private struct Time: CustomStringConvertible {
        var wall: Double
        var processor: Double
        var description: String { String(format: "%.4f s, %.4f s of processor", wall, processor) }
    }

    private static func measure(_ body: () throws -> Void) rethrows -> Time {
        func now(_ clock: clockid_t) -> Double {
            var time = timespec()
            clock_gettime(clock, &time)
            return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
        }
        let wall = now(CLOCK_MONOTONIC), processor = now(CLOCK_PROCESS_CPUTIME_ID)
        try body()
        return Time(wall: now(CLOCK_MONOTONIC) - wall, processor: now(CLOCK_PROCESS_CPUTIME_ID) - processor)
    }

    private static func report(_ line: String) { FileHandle.standardError.write(Data("scale: \(line)\n".utf8)) }

    /// Resident memory now and at most since ``forgetPeak()``; nothing where there is no such file.
    private static func memory() -> String {
        let status = (try? String(contentsOfFile: "/proc/self/status", encoding: .utf8)) ?? ""
        return status.split(separator: "\n").filter { $0.hasPrefix("VmRSS") || $0.hasPrefix("VmHWM") }
            .map { $0.split(whereSeparator: \.isWhitespace).joined(separator: " ") }.joined(separator: ", ")
    }

    private static func forgetPeak() {
        try? "5".write(toFile: "/proc/self/clear_refs", atomically: false, encoding: .utf8)
    }
}
