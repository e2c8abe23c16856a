/// A grid of numbers from 0 to 1 as text: one character a value, darker is more.
public struct HeatMap: Sendable {
    /// The shades from 0 to 1; 0 exactly is a middle dot, so that nothing is told from a little.
    static let shades: [Character] = ["·", "░", "▒", "▓", "█"]

    /// One labelled row of values.
    public struct Row: Sendable {
        public let label: String
        public let values: [Double]
        /// Columns to mark below the row, for example drafters.
        public let marks: Set<Int>
        /// What stands to the right.
        public let note: String

        /// Makes a row.
        public init(label: String, values: [Double], marks: Set<Int> = [], note: String = "") {
            self.label = label
            self.values = values
            self.marks = marks
            self.note = note
        }
    }

    /// Draws rows with a heading over the columns; marked columns are followed by a caret.
    public static func text(heading: String, rows: [Row]) -> String {
        let width = max(heading.count, rows.map(\.label.count).max() ?? 0)
        func padded(_ text: String) -> String { text + String(repeating: " ", count: width - text.count) }
        var lines: [String] = []
        let columns = rows.map(\.values.count).max() ?? 0
        lines.append(
            padded(heading) + "  " + (0..<columns).map { $0 % 5 == 0 ? pair("\($0)") : "  " }.joined())
        for row in rows {
            let cells = row.values.indices.map { column in
                String(shade(row.values[column])) + (row.marks.contains(column) ? "^" : " ")
            }
            lines.append("\(padded(row.label))  \(cells.joined())  \(row.note)")
        }
        return lines.joined(separator: "\n")
    }

    private static func pair(_ text: String) -> String { text.count == 1 ? text + " " : String(text.prefix(2)) }

    static func shade(_ value: Double) -> Character {
        guard value > 0 else { return shades[0] }
        return shades[min(4, 1 + Int(min(value, 1) * 3.999))]
    }
}
