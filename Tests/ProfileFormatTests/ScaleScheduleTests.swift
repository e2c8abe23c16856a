import Testing
import VernierCore

@testable import ProfileFormat

@Suite struct ScaleScheduleTests {
    @Test func countsTokens() throws {
        let schedule = try Examples.schedule([1, 2, 4, 6, 8, 12, 16, 20, 24, 32, 40, 48, 64])
        #expect(schedule.scaleCount == 13)
        #expect(schedule.totalTokens == 10_521)
        #expect(schedule.finalHistoryTokens == 6425)
        #expect(
            (0...13).map(schedule.historyTokens) == [
                0, 1, 5, 21, 57, 121, 265, 521, 921, 1497, 2521, 4121, 6425, 10_521,
            ])
        #expect(schedule.tokenCount(12) == 4096)
    }

    @Test func refusesWhatIsOutOfRange() throws {
        let good = ScaleSchedule.Grid(height: 1, width: 1)
        let bad = ScaleSchedule.Grid(height: 0, width: 4097)
        let error = try #require(throws: VernierError.self) { try ScaleSchedule(grids: [good, bad], ropeGrid: bad) }
        #expect(
            error.description == "scale schedule: RoPE grid: expected sides of 1 to 4096 tokens, found 0 x 4097; "
                + "scale 1: expected sides of 1 to 4096 tokens, found 0 x 4097.")
        #expect(throws: VernierError.self) { try ScaleSchedule(grids: [], ropeGrid: good) }
        #expect(throws: VernierError.self) {
            try ScaleSchedule(grids: Array(repeating: good, count: 65), ropeGrid: good)
        }
        let largest = ScaleSchedule.Grid(height: 4096, width: 4096)
        let most = try ScaleSchedule(grids: Array(repeating: largest, count: 64), ropeGrid: largest)
        #expect(most.totalTokens == 1 << 30)
    }

    @Test func readsWhatItWrites() throws {
        let schedule = try ScaleSchedule(
            grids: [ScaleSchedule.Grid(height: 1, width: 2), ScaleSchedule.Grid(height: 5, width: 4)],
            ropeGrid: ScaleSchedule.Grid(height: 70, width: 56))
        let text = try schedule.jsonValue.canonicalLine()
        #expect(text == #"{"grids": [[1, 2], [5, 4]], "ropeGrid": [70, 56]}"#)
        #expect(try ScaleSchedule(reading: JSONCursor(JSONValue.parse(text, name: "x"), place: "x")) == schedule)
    }

    @Test func saysWhatDiffers() throws {
        let one = try Examples.schedule([1, 2])
        let two = try ScaleSchedule(
            grids: [ScaleSchedule.Grid(height: 1, width: 3)], ropeGrid: ScaleSchedule.Grid(height: 8, width: 9))
        #expect(one.differences(from: one).isEmpty)
        #expect(
            one.differences(from: two) == [
                "expected scales 1x3, found 1x1 2x2", "expected RoPE grid 8x9, found 64x64",
            ])
    }
}
