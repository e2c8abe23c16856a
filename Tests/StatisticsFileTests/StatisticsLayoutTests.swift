import CalibrationStatistics
import ProfileFormat
import TestSupport
import Testing
import VernierCore

@Suite struct StatisticsLayoutTests {
    @Test func indicesRunThroughEveryValueInOrder() throws {
        let layout = try SmallCalibration.empty().layout
        var cells: [Int] = []
        var tops: [Int] = []
        var sources: [Int] = []
        var positions: [Int] = []
        for branch in 0..<2 {
            for layer in 0..<3 {
                for head in 0..<2 {
                    for scale in 0..<4 {
                        cells.append(layout.cell(branch: branch, layer: layer, head: head, scale: scale))
                        tops += (0..<3).map {
                            layout.topMassIndex(
                                branch: branch, layer: layer, head: head, scale: scale, topCountIndex: $0)
                        }
                        sources += (0..<4).map {
                            layout.sourceMassIndex(
                                branch: branch, layer: layer, head: head, scale: scale, source: $0)
                        }
                        positions += layout.positions(branch: branch, layer: layer, head: head, scale: scale)
                    }
                }
            }
        }
        expectSame(cells, Array(0..<48), what: "cells")
        expectSame(tops, Array(0..<48 * 3), what: "top masses")
        expectSame(sources, Array(0..<48 * 4), what: "source masses")
        expectSame(positions, Array(0..<12 * 11), what: "positions")
        #expect(layout.positionsPerHead == 0 + 1 + 3 + 7)
        #expect((0..<4).map(layout.positionOffset) == [0, 0, 1, 4])
        #expect(layout.shape(of: .topMass) == [2, 3, 2, 4, 3])
        #expect(layout.shape(of: .sourceMass) == [2, 3, 2, 4, 4])
        #expect(layout.shape(of: .positionWeight) == [2, 3, 2, 11])
        let statistics = AttentionStatistics(layout: layout)
        for statistic in Statistic.all { #expect(statistics[statistic].count == layout.valueCount(of: statistic)) }
    }

    @Test func sketchesHaveOneRowAPosition() throws {
        let layout = try SmallCalibration.empty(signs: 5).layout
        #expect(layout.signCount == 5)
        #expect(layout.shape(of: .attention) == [2, 3, 2, 11, 5])
        #expect(layout.shape(of: .key) == [2, 3, 2, 11, 5])
        #expect(layout.shape(of: .value) == [2, 3, 2, 7, 5])
        var rows: [Int] = []
        for branch in 0..<2 {
            for layer in 0..<3 {
                for head in 0..<2 { rows += layout.finalPositions(branch: branch, layer: layer, head: head) }
            }
        }
        expectSame(rows, Array(0..<12 * 7), what: "final positions")
        let without = try SmallCalibration.empty().layout
        for sketch in Sketch.all { #expect(without.valueCount(of: sketch) == 0) }
    }

    @Test func refusesImpossibleDimensions() throws {
        let schedule = try SmallCalibration.schedule()
        let text = message {
            try StatisticsLayout(branches: 0, layers: 1, heads: -1, schedule: schedule, topCounts: [4, 4])
        }
        #expect(text.contains("at least 1 for branches, found 0; expected at least 1 for heads, found -1"))
        #expect(text.contains("top counts that ascend from at least 1, found [4, 4]"))
        for signs in [-1, 4097, .max] {
            let text = message {
                try StatisticsLayout(
                    branches: 1, layers: 1, heads: 1, schedule: schedule, topCounts: [1], signCount: signs)
            }
            #expect(text.contains("expected 0 to 4096 signs, found \(signs)"))
        }
        let huge = try SmallCalibration.schedule([(4096, 4096), (4096, 4096)])
        for layers in [1 << 20, 1 << 40, .max] {
            let error = #expect(throws: VernierError.self) {
                try StatisticsLayout(branches: 2, layers: layers, heads: 64, schedule: huge, topCounts: [1])
            }
            #expect(error?.code.description == "outOfMemory")
        }
    }
}
