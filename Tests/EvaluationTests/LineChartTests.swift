import Foundation
import Generation
import Testing

@testable import Evaluation

@Suite struct LineChartTests {
    private func point(_ bytes: Double, _ value: Double) -> LineChart.Point {
        LineChart.Point(bytes: bytes, value: Estimate(mean: value, low: value - 1, high: value + 2, count: 9))
    }

    private func chart(_ series: [LineChart.Series]) -> LineChart {
        LineChart(title: "a < b & c", xTitle: "bytes", yTitle: "PSNR, dB", series: series)
    }

    private var sample: LineChart {
        chart([
            .init(group: "ours", style: "float32", points: [point(400_000, 30), point(40_000, 20)]),
            .init(group: "ours", style: "int8", points: [point(100_000, 29)]),
            .init(group: "none", style: "int8", points: []),
        ])
    }

    @Test func svgHoldsEveryPointAndNameAndIsWellFormed() throws {
        let svg = sample.svg()
        #expect(svg.hasPrefix("<svg xmlns=\"http://www.w3.org/2000/svg\"") && svg.hasSuffix("</svg>\n"))
        #expect(svg.components(separatedBy: "<circle ").count - 1 == 4, "three points and one in the legend")
        #expect(svg.contains("a &lt; b &amp; c") && !svg.contains("a < b"))
        for name in ["ours", "float32", "int8", "PSNR, dB", "100 KB"] {
            #expect(svg.contains(">\(name)</text>"), "\(name)")
        }
        #expect(!svg.contains(">none<"), "a series without points has no place in the legend")
        #expect(!svg.contains("nan") && !svg.contains("inf"))
        // Each element ends itself or is ended.
        for line in svg.split(separator: "\n").dropFirst().dropLast() {
            #expect(line.hasPrefix("<") && (line.hasSuffix("/>") || line.hasSuffix("</text>")), "\(line)")
        }
        #expect(sample.svg() == svg)
    }

    /// Larger values stand higher, more bytes further right; an interval spans its point.
    @Test func marksStandWhereTheirValuesSay() throws {
        var discs: [(x: Double, y: Double)] = []
        for case .disc(let x, let y, _, _) in sample.marks() { discs.append((x, y)) }
        #expect(discs.count == 4 && discs[3].x > discs.prefix(3).map(\.x).max() ?? 0, "the last is the legend's")
        // By series, ascending bytes: 40 KB 20 dB, 400 KB 30 dB, 100 KB 29 dB.
        #expect(discs[0].x < discs[2].x && discs[2].x < discs[1].x)
        #expect(discs[1].y < discs[2].y && discs[2].y < discs[0].y)
        // Logarithmic: from 40 to 100 to 400 KB as log 2.5 to log 4.
        let steps = ((discs[2].x - discs[0].x) / log(2.5), (discs[1].x - discs[2].x) / log(4))
        #expect(abs(steps.0 - steps.1) < 1e-9)
    }

    @Test func pixelsShowLinesInTheirColours() throws {
        let picture = try sample.picture()
        var discs: [(x: Double, y: Double, colour: SIMD3<UInt8>)] = []
        for case .disc(let x, let y, _, let colour) in sample.marks() { discs.append((x, y, colour)) }
        for disc in discs {
            let place = 3 * (Int(disc.y * 2) * picture.width + Int(disc.x * 2))
            #expect(Array(picture.pixels[place..<place + 3]) == [disc.colour[0], disc.colour[1], disc.colour[2]])
        }
        #expect(try sample.picture() == picture)
    }

    /// 18 colours: further groups have them with another mark.
    @Test func manyGroupsAreToldApart() throws {
        let many = chart((0..<40).map { .init(group: "g\($0)", style: "s", points: [point(Double(9 + $0), 5)]) })
        var discs = 0
        for case .disc(_, _, _, _) in many.marks() { discs += 1 }
        #expect(discs == 2 * 18)
        // Axes and intervals have other widths: two strokes for the point and two in the legend.
        var strokes: [SIMD3<UInt8>: Int] = [:]
        for case .line(_, _, _, _, 2, _, let colour) in many.marks() { strokes[colour, default: 0] += 1 }
        #expect(strokes.values.reduce(0, +) == 4 * 22 && strokes.values.allSatisfy { $0 == 4 || $0 == 8 })
    }

    @Test func emptyAndSinglePointsAreDrawn() throws {
        #expect(try chart([]).picture().width == 1920)
        #expect(!chart([.init(group: "a", style: "b", points: [point(1, 0)])]).svg().contains("nan"))
        let flat = LineChart.Point(bytes: 7, value: Estimate(mean: 3, low: 3, high: 3, count: 1))
        #expect(!chart([.init(group: "a", style: "b", points: [flat])]).svg().contains("nan"))
    }

    @Test(arguments: [
        (0.0, 1.0), (18.2, 36.9), (-0.003, 0.004), (5, 5), (0, 0), (1e-9, 2e-9), (12, 1_000_000),
    ])
    func linearTicksEncloseTheirRange(low: Double, high: Double) {
        let ticks = AxisTicks.linear(low, high)
        #expect((2...12).contains(ticks.count), "\(ticks)")
        #expect(ticks[0] <= low && ticks[ticks.count - 1] >= high, "\(ticks)")
        #expect(zip(ticks, ticks.dropFirst()).allSatisfy { $0 < $1 })
    }

    @Test(arguments: [(1.0, 1.0), (40_000, 400_000), (3, 7), (999, 1001), (5, 5e9), (200, 200)])
    func logarithmicTicksEncloseTheirRange(low: Double, high: Double) {
        let ticks = AxisTicks.logarithmic(low, high)
        #expect(ticks.count >= 2 && ticks[0] <= low && ticks[ticks.count - 1] >= high, "\(ticks)")
        #expect(zip(ticks, ticks.dropFirst()).allSatisfy { $0 < $1 })
    }
}
