import Foundation
import VernierCore

/// A chart of measurements with intervals over a logarithmic axis of bytes: one line a series.
///
/// Colour tells groups of series apart, dashes the series within a group. The same chart gives the same bytes, as SVG
/// (``svg()``) and as pixels (``picture()``).
package struct LineChart: Sendable {
    /// One measurement.
    package struct Point: Sendable, Hashable {
        /// Bytes, above 0.
        package let bytes: Double
        /// The value and its interval.
        package let value: Estimate

        /// Makes a point.
        package init(bytes: Double, value: Estimate) {
            self.bytes = bytes
            self.value = value
        }
    }

    /// One line.
    package struct Series: Sendable, Hashable {
        /// What shares a colour, for example a method.
        package let group: String
        /// What shares a dash pattern, for example a storage format.
        package let style: String
        /// The points; drawn by ascending bytes.
        package let points: [Point]

        /// Makes a series.
        package init(group: String, style: String, points: [Point]) {
            self.group = group
            self.style = style
            self.points = points
        }
    }

    private let title: String
    private let xTitle: String
    private let yTitle: String
    private let series: [Series]

    /// Makes a chart of the series that have points.
    package init(title: String, xTitle: String, yTitle: String, series: [Series]) {
        self.title = title
        self.xTitle = xTitle
        self.yTitle = yTitle
        self.series = series.filter { !$0.points.isEmpty }
    }

    // MARK: - Layout

    enum Layout {
        static let width = 960.0
        static let plotHeight = 470.0
        static let (left, top, bottom) = (64.0, 56.0, 56.0)
        static let plotWidth = 640.0
        static let legendLeft = left + plotWidth + 24
        static let legendStep = 18.0
    }

    private var groups: [String] { Self.distinct(series.map(\.group)) }
    private var styles: [String] { Self.distinct(series.map(\.style)) }

    var size: (width: Double, height: Double) {
        let legend = Layout.top + Double(groups.count + styles.count + 1) * Layout.legendStep
        return (Layout.width, max(Layout.top + Layout.plotHeight + Layout.bottom, legend + 16))
    }

    private static func distinct(_ names: [String]) -> [String] {
        var seen: Set<String> = []
        return names.filter { seen.insert($0).inserted }
    }

    func marks() -> [ChartMark] {
        var marks: [ChartMark] = [.text(x: Layout.left, y: 18, anchor: .start, text: title)]
        let points = series.flatMap(\.points)
        guard let lowBytes = points.map(\.bytes).min(), let highBytes = points.map(\.bytes).max(),
            let low = points.map(\.value.low).min(), let high = points.map(\.value.high).max()
        else { return marks }
        let xTicks = AxisTicks.logarithmic(lowBytes, highBytes), yTicks = AxisTicks.linear(low, high)
        func x(_ bytes: Double) -> Double {
            let (first, last) = (log10(xTicks[0]), log10(xTicks[xTicks.count - 1]))
            return Layout.left + (log10(bytes) - first) / (last - first) * Layout.plotWidth
        }
        func y(_ value: Double) -> Double {
            let (first, last) = (yTicks[0], yTicks[yTicks.count - 1])
            return Layout.top + (last - value) / (last - first) * Layout.plotHeight
        }
        marks += axes(xTicks: xTicks, yTicks: yTicks, x: x, y: y)
        for line in series {
            let group = groups.firstIndex(of: line.group) ?? 0, colour = Self.colour(group)
            let dash = Self.dash(styles.firstIndex(of: line.style) ?? 0)
            let places = line.points.sorted { ($0.bytes, $0.value.mean) < ($1.bytes, $1.value.mean) }
                .map { (x: x($0.bytes), y: y($0.value.mean), low: y($0.value.low), high: y($0.value.high)) }
            for (from, to) in zip(places, places.dropFirst()) {
                marks.append(.line(x1: from.x, y1: from.y, x2: to.x, y2: to.y, width: 1.6, dash: dash, colour: colour))
            }
            for place in places {
                for (x1, y1, x2, y2) in [
                    (place.x, place.low, place.x, place.high), (place.x - 3, place.low, place.x + 3, place.low),
                    (place.x - 3, place.high, place.x + 3, place.high),
                ] { marks.append(.line(x1: x1, y1: y1, x2: x2, y2: y2, width: 0.8, dash: [], colour: colour)) }
                marks += Self.point(group, x: place.x, y: place.y)
            }
        }
        return marks + legend()
    }

    private func axes(
        xTicks: [Double], yTicks: [Double], x: (Double) -> Double, y: (Double) -> Double
    ) -> [ChartMark] {
        let right = Layout.left + Layout.plotWidth, bottom = Layout.top + Layout.plotHeight
        var marks: [ChartMark] = []
        for tick in xTicks {
            marks.append(
                .line(x1: x(tick), y1: Layout.top, x2: x(tick), y2: bottom, width: 1, dash: [], colour: ChartMark.grid))
            marks.append(.text(x: x(tick), y: bottom + 14, anchor: .middle, text: Self.bytes(tick)))
        }
        let step = yTicks[1] - yTicks[0]
        let digits = step < 0.999 ? Int((-log10(step) - 1e-9).rounded(.up)) : 0
        for tick in yTicks {
            marks.append(
                .line(
                    x1: Layout.left, y1: y(tick), x2: right, y2: y(tick), width: 1, dash: [], colour: ChartMark.grid))
            let text = String(format: "%.\(digits)f", tick)
            marks.append(.text(x: Layout.left - 8, y: y(tick), anchor: .end, text: text))
        }
        for (x1, y1, x2, y2) in [
            (Layout.left, Layout.top, Layout.left, bottom), (Layout.left, bottom, right, bottom),
        ] { marks.append(.line(x1: x1, y1: y1, x2: x2, y2: y2, width: 1, dash: [], colour: ChartMark.black)) }
        marks.append(.text(x: Layout.left + Layout.plotWidth / 2, y: bottom + 36, anchor: .middle, text: xTitle))
        marks.append(.text(x: Layout.left, y: Layout.top - 16, anchor: .middle, text: yTitle))
        return marks
    }

    private func legend() -> [ChartMark] {
        var marks: [ChartMark] = []
        var top = Layout.top + 6
        func add(_ name: String, _ colour: SIMD3<UInt8>, _ dash: [Double], point: Int? = nil) {
            let left = Layout.legendLeft
            marks.append(.line(x1: left, y1: top, x2: left + 26, y2: top, width: 1.6, dash: dash, colour: colour))
            if let point { marks += Self.point(point, x: left + 13, y: top) }
            marks.append(.text(x: left + 34, y: top, anchor: .start, text: name))
            top += Layout.legendStep
        }
        for (index, group) in groups.enumerated() { add(group, Self.colour(index), [], point: index) }
        if styles.count > 1 {
            top += Layout.legendStep / 2
            for (index, style) in styles.enumerated() { add(style, ChartMark.black, Self.dash(index)) }
        }
        return marks
    }

    /// Colours that are told apart on white, in an order in which neighbours differ.
    private static let palette: [SIMD3<UInt8>] = [
        [31, 119, 180], [214, 39, 40], [44, 160, 44], [255, 127, 14], [148, 103, 189], [23, 190, 207],
        [140, 86, 75], [227, 119, 194], [127, 127, 127], [188, 189, 34], [0, 0, 0], [0, 92, 49],
        [128, 0, 0], [0, 0, 160], [240, 163, 255], [255, 164, 5], [94, 241, 242], [153, 63, 0],
    ]

    private static func colour(_ index: Int) -> SIMD3<UInt8> { palette[index % palette.count] }

    /// A group's mark: a disc, or where colours come again a cross, then a plus.
    private static func point(_ group: Int, x: Double, y: Double) -> [ChartMark] {
        let colour = colour(group), r = 3.5
        let strokes: [(Double, Double)]
        switch group / palette.count % 3 {
        case 0: return [.disc(x: x, y: y, radius: 3, colour: colour)]
        case 1: strokes = [(r, r), (r, -r)]
        default: strokes = [(r, 0), (0, r)]
        }
        return strokes.map {
            .line(x1: x - $0.0, y1: y - $0.1, x2: x + $0.0, y2: y + $0.1, width: 2, dash: [], colour: colour)
        }
    }

    private static func dash(_ index: Int) -> [Double] {
        let patterns: [[Double]] = [[], [6, 3], [2, 3], [8, 3, 2, 3]]
        return patterns[index % patterns.count]
    }

    /// `200 KB`, `1 MB`: powers of 1000.
    private static func bytes(_ value: Double) -> String {
        let units = [(1e12, "TB"), (1e9, "GB"), (1e6, "MB"), (1e3, "KB")]
        let (size, unit) = units.first { value >= $0.0 * 0.999 } ?? (1, "B")
        return "\(number(value / size)) \(unit)"
    }

    /// At most two decimals, none for whole numbers.
    static func number(_ value: Double) -> String {
        let text = String(format: "%.2f", value)
        let short = text.hasSuffix(".00") ? text.dropLast(3) : text.hasSuffix("0") ? text.dropLast() : text[...]
        return short == "-0" ? "0" : String(short)
    }
}
