import TestSupport
import Testing
import VernierCore

@testable import ProfileFormat

/// Infinity's official schedules against the table of `models.md` section 3.2.
@Suite struct InfinityScheduleTests {
    /// Official name, last grid at each resolution, tokens at each resolution.
    struct Row: Sendable, CustomTestStringConvertible {
        let thousandths: Int
        let last: [(Int, Int)]
        let tokens: [Int]
        var testDescription: String { "\(thousandths)" }

        init(_ thousandths: Int, _ last: [(Int, Int)], _ tokens: [Int]) {
            self.thousandths = thousandths
            self.last = last
            self.tokens = tokens
        }
    }

    static let rows = [
        Row(1000, [(16, 16), (32, 32), (48, 48), (64, 64)], [521, 2521, 6425, 10_521]),
        Row(1250, [(20, 16), (35, 28), (55, 44), (70, 56)], [614, 2814, 6854, 10_774]),
        Row(1333, [(20, 15), (36, 27), (60, 45), (72, 54)], [665, 2657, 7085, 10_973]),
        Row(1500, [(21, 14), (39, 26), (63, 42), (78, 52)], [533, 2759, 6941, 10_997]),
        Row(1750, [(21, 12), (42, 24), (70, 40), (84, 48)], [472, 2628, 7220, 11_252]),
        Row(2000, [(22, 11), (46, 23), (74, 37), (90, 45)], [451, 2681, 7219, 11_269]),
        Row(2500, [(25, 10), (50, 20), (80, 32), (100, 40)], [555, 2555, 6805, 10_805]),
        Row(3000, [(27, 9), (54, 18), (90, 30), (111, 37)], [509, 2588, 7016, 11_123]),
    ]

    @Test(arguments: rows) func templatesHaveThePublishedGridsAndTokens(_ row: Row) throws {
        let aspect = try #require(InfinityAspect.all.first { $0.thousandths == row.thousandths })
        for (place, resolution) in InfinityResolution.all.enumerated() {
            let official = InfinitySchedule(aspect: aspect, resolution: resolution)
            let schedule = official.schedule
            #expect(schedule.scaleCount == [7, 10, 12, 13][place])
            #expect(schedule.totalTokens == row.tokens[place], "\(official)")
            let last = row.last[place]
            #expect(schedule.grids.last == ScaleSchedule.Grid(height: last.0, width: last.1))
            #expect(official.pictureSize == (16 * last.0, 16 * last.1))
            // Rotary positions are scaled to the 1M grid whatever the resolution.
            #expect(schedule.ropeGrid == ScaleSchedule.Grid(height: row.last[3].0, width: row.last[3].1))
        }
    }

    @Test func thereAreFifteenTemplatesAndSixtyDifferentSchedules() {
        #expect(InfinityAspect.all.count == 15 && InfinityResolution.all.count == 4)
        #expect(InfinitySchedule.all.count == 60)
        #expect(Set(InfinitySchedule.all.map(\.schedule)).count == 60)
        #expect(Set(InfinityAspect.all.map(\.description)).count == 15)
        #expect(
            InfinityAspect.all.map(\.thousandths) == [
                1000, 1250, 800, 1333, 750, 1500, 666, 1750, 571, 2000, 500, 2500, 400, 3000, 333,
            ])
    }

    /// What holds for every schedule, besides the table.
    @Test func everyScheduleGrowsFromOneTokenAndIsFoundAgain() throws {
        for official in InfinitySchedule.all {
            let schedule = official.schedule
            #expect(schedule.grids.prefix(2).map(\.tokenCount) == [1, 4])
            for (grid, next) in zip(schedule.grids, schedule.grids.dropFirst()) {
                #expect(next.height >= grid.height && next.width >= grid.width)
                #expect(next.tokenCount > grid.tokenCount, "\(official): \(grid) to \(next)")
            }
            // As in the official assertion: the last grid of each resolution comes near the template's name.
            let last = schedule.grids[schedule.scaleCount - 1]
            #expect(abs(Double(last.height) / Double(last.width) - official.aspect.heightPerWidth) < 0.01)
            #expect(InfinitySchedule(of: schedule) == official)
            // The same numbers as any other schedule: through the checks and back.
            #expect(try ScaleSchedule(grids: schedule.grids, ropeGrid: schedule.ropeGrid) == schedule)
        }
    }

    @Test func wideTemplatesAreTheTallOnesTransposed() {
        for aspect in InfinityAspect.all {
            let other = aspect.transposed
            #expect(other.transposed == aspect && (other == aspect) == (aspect == .square))
            #expect(aspect.grids == other.grids.map { ScaleSchedule.Grid(height: $0.width, width: $0.height) })
            if aspect.thousandths > 1000 { #expect(other.thousandths == 1_000_000 / aspect.thousandths) }
        }
    }

    @Test func otherSchedulesAreNotOfficial() throws {
        let square = InfinitySchedule(resolution: .smallest).schedule
        #expect(try InfinitySchedule(of: ScaleSchedule(grids: square.grids, ropeGrid: square.grids[6])) == nil)
        #expect(
            try InfinitySchedule(of: ScaleSchedule(grids: Array(square.grids.prefix(6)), ropeGrid: square.ropeGrid))
                == nil)
        #expect(try InfinitySchedule(of: Examples.schedule([1, 2, 3, 4, 5, 6, 8])) == nil)
    }

    @Test(arguments: [
        (1.0, 1000), (0.9, 1000), (1.125, 1000), (1.13, 1250), (16.0 / 9, 1750), (0.5625, 571), (2.25, 2000),
        (100, 3000), (0.001, 333), (0.6665, 666), (2.0 / 3, 666),
    ])
    func nearestTemplateAsInTheOfficialCode(_ heightPerWidth: Double, _ thousandths: Int) {
        #expect(InfinityAspect.nearest(heightPerWidth: heightPerWidth).thousandths == thousandths)
    }

    @Test(arguments: [
        ("1:1", "1:1"), ("1", "1:1"), ("4:3", "4:3"), ("0.75", "4:3"), ("1.333", "3:4"), ("3:4", "3:4"),
        ("16:9", "7:4"), ("1920:1080", "7:4"), ("9:16", "4:7"), ("1.5", "2:3"), ("0.333", "3:1"), ("1.01", "1:1"),
    ])
    func aspectsByName(_ text: String, _ name: String) throws {
        #expect(try InfinityAspect(named: text).description == name)
    }

    @Test(arguments: [
        "", ":", "1:", ":1", "1:1:1", "square", "0", "-1", "-4:-3", "4:-3", "0:1", "1:0", "0:0", "nan", "inf", "21:9",
        "1.05", "4:1", "1e400",
    ])
    func otherAspectsAreRefusedWithTheList(_ text: String) throws {
        let error = try #require(throws: VernierError.self) { try InfinityAspect(named: text) }
        #expect(error.code == .invalidArgument)
        #expect(error.description.contains("1:1, 4:5, 5:4, 3:4, 4:3, 2:3, 3:2, 4:7, 7:4, 1:2, 2:1, 2:5, 5:2, 1:3, 3:1"))
    }

    @Test func resolutionsByName() throws {
        for resolution in InfinityResolution.all {
            #expect(try InfinityResolution(named: resolution.name) == resolution)
        }
        #expect(try InfinityResolution(named: "0.6M") == .middle)
        #expect(try InfinityResolution(named: "1.0m") == .full)
        for text in ["", "M", "2M", "0.06", "1", "512", "1 M", "-1M", "nanM"] {
            let error = try #require(throws: VernierError.self) { try InfinityResolution(named: text) }
            #expect(error.description.contains("one of 0.06M, 0.25M, 0.60M, 1M"), "\(text)")
        }
    }

    @Test func aChoiceLeavesTheRestAsTheModelHasIt() throws {
        let standard = InfinitySchedule(aspect: try InfinityAspect(named: "3:4"), resolution: .quarter).schedule
        #expect(try ScheduleChoice.standard.schedule(from: standard) == standard)
        for (choice, expected) in [
            (ScheduleChoice(resolution: .full), "3:4 at 1M"), (ScheduleChoice(aspect: .square), "1:1 at 0.25M"),
            (ScheduleChoice(resolution: .smallest, aspect: .square), "1:1 at 0.06M"),
        ] {
            let chosen = try choice.schedule(from: standard)
            #expect(InfinitySchedule(of: chosen)?.description == expected)
            #expect(ScheduleChoice(of: chosen).resolution == InfinitySchedule(of: chosen)?.resolution)
            #expect(try ScheduleChoice(of: chosen).schedule(from: standard) == chosen)
        }
    }

    @Test func aModelOfItsOwnScheduleRunsNoOther() throws {
        let own = try Examples.schedule([1, 2, 3])
        #expect(try ScheduleChoice.standard.schedule(from: own) == own)
        #expect(ScheduleChoice(of: own) == .standard)
        let error = try #require(throws: VernierError.self) {
            try ScheduleChoice(resolution: .full, aspect: .square).schedule(from: own)
        }
        #expect(
            error.description
                == "schedule: expected a model of Infinity's official schedules to choose the aspect 1:1 and the "
                + "resolution 1M for, found one with its own, 1x1 2x2 3x3. Leave the resolution and the aspect out.")
    }

    @Test func aProfileIsRefusedOnAnotherScheduleAndBothAreNamed() throws {
        func profile(_ official: InfinitySchedule) throws -> Profile {
            try Profile(
                model: Examples.model(), schedule: official.schedule, policy: PolicyDescription(name: "uniform"),
                selection: .attentionMass(), storage: .float32, requestedBudget: .keptShare(1),
                capacities: .full(schedule: official.schedule, layers: 3, heads: 2),
                provenance: Examples.provenance())
        }
        let square = InfinitySchedule(resolution: .smallest)
        let wide = InfinitySchedule(aspect: try InfinityAspect(named: "4:3"), resolution: .smallest)
        try profile(square).requireFit(model: Examples.model(), schedule: square.schedule)
        let error = try #require(throws: VernierError.self) {
            try profile(square).requireFit(model: Examples.model(), schedule: wide.schedule, name: "square.json")
        }
        #expect(error.code == .mismatch)
        #expect(
            error.description
                == "square.json: the profile of \"tiny\" does not fit the model \"tiny\"; expected scales 1x1 2x2 4x4 6x6 "
                + "8x8 12x12 16x16 (1:1 at 0.06M), found 1x1 2x2 3x4 6x8 9x12 12x16 15x20 (4:3 at 0.06M); expected RoPE "
                + "grid 64x64, found 54x72. Run the model at the profile's schedule (--resolution 0.06M --aspect 1:1), or "
                + "compile a profile from statistics of this schedule.")
    }
}
