/// A table in Markdown whose columns also line up as plain text.
public struct MarkdownTable: Sendable, Hashable {
    /// One column.
    public struct Column: Sendable, Hashable {
        /// The heading.
        public let title: String
        /// Whether cells stand at the right edge, as numbers should.
        public let isRightAligned: Bool

        /// Makes a column.
        public init(_ title: String, isRightAligned: Bool = false) {
            self.title = title
            self.isRightAligned = isRightAligned
        }
    }

    /// The columns from left to right.
    public let columns: [Column]
    private var rows: [[String]] = []

    /// Starts a table without rows.
    public init(columns: [Column]) { self.columns = columns }

    /// Adds a row; missing cells are empty.
    /// - Precondition: at most as many cells as columns.
    public mutating func add(_ cells: [String]) {
        precondition(cells.count <= columns.count, "at most as many cells as columns")
        rows.append(cells + [String](repeating: "", count: columns.count - cells.count))
    }

    /// The table as lines that end in a newline each. `|` is escaped, line breaks become spaces.
    public var text: String {
        let titles = columns.map { Self.escaped($0.title) }
        let cells = rows.map { $0.map(Self.escaped) }
        let widths = columns.indices.map { column in
            max(3, ([titles] + cells).map { $0[column].count }.max() ?? 0)
        }
        func line(_ cells: [String]) -> String {
            let padded = cells.enumerated().map { column, cell in
                let space = String(repeating: " ", count: widths[column] - cell.count)
                return columns[column].isRightAligned ? space + cell : cell + space
            }
            return "| \(padded.joined(separator: " | ")) |\n"
        }
        let rule = columns.indices.map { column in
            let dashes = String(repeating: "-", count: widths[column] - 1)
            return columns[column].isRightAligned ? "\(dashes):" : "\(dashes)-"
        }
        return line(titles) + line(rule) + cells.map(line).joined()
    }

    private static func escaped(_ cell: String) -> String {
        cell.split(whereSeparator: \.isNewline).joined(separator: " ").replacing("|", with: "\\|")
    }
}
