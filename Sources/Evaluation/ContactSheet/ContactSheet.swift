import Generation
import VernierCore

/// Pictures side by side: one column a prompt, one row a cache policy, the full cache first.
///
/// Rows have their label to the left, columns their caption above. Pictures keep their pixels: they are enlarged by a
/// whole number, without smoothing.
public struct ContactSheet: Sendable {
    /// One row of pictures.
    public struct Row: Sendable {
        /// What the row shows, written to its left.
        public let label: String
        /// One picture a column; nil leaves the place grey.
        public let pictures: [Picture?]

        /// Makes a row.
        public init(label: String, pictures: [Picture?]) {
            self.label = label
            self.pictures = pictures
        }
    }

    /// What each column shows, usually the prompt.
    public let captions: [String]
    /// The rows from top to bottom.
    public private(set) var rows: [Row] = []
    /// How many pixels of the sheet a picture's pixel takes along each side; nil chooses the least that makes pictures
    /// at least 144 pixels wide.
    public var scale: Int?

    /// Starts a sheet with one column a caption.
    public init(captions: [String], scale: Int? = nil) {
        self.captions = captions
        self.scale = scale
    }

    /// Adds a row below the others.
    public mutating func add(_ row: Row) { rows.append(row) }

    /// Adds a row of differences, `128 + amplification * (picture - reference)` for each channel: grey where equal.
    ///
    /// Throws ``VernierCore/VernierError/Code/mismatch`` if the sides of a pair differ.
    public mutating func addDifferences(
        label: String, pictures: [Picture?], references: [Picture?], amplification: Int = 4
    ) throws {
        let differences = try zip(pictures, references).map { picture, reference -> Picture? in
            guard let picture, let reference else { return nil }
            try PeakSignalNoise.requireEqualSides(picture, reference)
            let pixels = zip(picture.pixels, reference.pixels).map { value, base in
                UInt8(min(max(128 + amplification * (Int(value) - Int(base)), 0), 255))
            }
            return try Picture(width: picture.width, height: picture.height, pixels: pixels)
        }
        add(Row(label: label, pictures: differences))
    }

    /// Draws the sheet.
    ///
    /// Throws ``VernierCore/VernierError/Code/emptyInput`` without pictures,
    /// ``VernierCore/VernierError/Code/mismatch`` if a row has not one picture a caption or pictures differ in size, and
    /// ``VernierCore/VernierError/Code/invalidArgument`` if the sheet would not fit a PNG file.
    public func render() throws -> Picture {
        let first = rows.lazy.flatMap(\.pictures).compactMap { $0 }.first
        guard let first, !captions.isEmpty else {
            throw VernierError(.emptyInput, at: "contact sheet", expected: "at least one picture", found: "none")
        }
        try check(like: first)
        let scale = try usedScale(first)
        let layout = Layout(captions: captions, labels: rows.map(\.label), picture: first, scale: scale)
        guard layout.width <= PNGFile.maximumSide, layout.height <= PNGFile.maximumSide,
            layout.width * layout.height <= PNGFile.maximumPixels
        else {
            throw VernierError(
                .invalidArgument, at: "contact sheet",
                expected: "at most \(PNGFile.maximumSide) pixels a side and \(PNGFile.maximumPixels) in all",
                found: "\(layout.width) x \(layout.height)", remedy: "Show fewer prompts or a smaller scale.")
        }
        var canvas = Canvas(width: layout.width, height: layout.height)
        for (column, lines) in layout.captionLines.enumerated() {
            write(lines, left: layout.left(of: column), top: Layout.margin, &canvas)
        }
        for (row, content) in rows.enumerated() {
            write(layout.labelLines[row], left: Layout.margin, top: layout.top(of: row), &canvas)
            for (column, picture) in content.pictures.enumerated() {
                let (left, top) = (layout.left(of: column), layout.top(of: row))
                if let picture {
                    canvas.draw(picture, left: left, top: top, scale: scale)
                } else {
                    canvas.fill(
                        left: left, top: top, width: layout.cellWidth, height: layout.cellHeight, grey: 225)
                }
            }
        }
        return try canvas.picture()
    }

    private func write(_ lines: [[UInt8]], left: Int, top: Int, _ canvas: inout Canvas) {
        for (index, line) in lines.enumerated() {
            canvas.write(line, left: left, top: top + index * BitmapFont.lineHeight, scale: 1)
        }
    }

    private func usedScale(_ picture: Picture) throws -> Int {
        let scale = scale ?? max(1, (144 + picture.width - 1) / picture.width)
        guard (1...PNGFile.maximumSide).contains(scale) else {
            throw VernierError(
                .invalidArgument, at: "contact sheet", expected: "a scale from 1 to \(PNGFile.maximumSide)",
                found: "\(scale)")
        }
        return scale
    }

    private func check(like first: Picture) throws {
        var problems: [String] = []
        for row in rows {
            if row.pictures.count != captions.count {
                problems.append(
                    "expected \(captions.count) pictures in row '\(row.label)', found \(row.pictures.count)")
            }
            for (column, picture) in row.pictures.enumerated() {
                guard let picture, picture.width != first.width || picture.height != first.height else { continue }
                problems.append(
                    "expected \(first.width) x \(first.height) pixels in row '\(row.label)', column \(column), "
                        + "found \(picture.width) x \(picture.height)")
            }
        }
        guard problems.isEmpty else { throw VernierError(.mismatch, at: "contact sheet", problems: problems) }
    }

    /// Where things stand on the sheet, in pixels.
    private struct Layout {
        static let margin = 8
        static let gap = 6
        static let labelColumns = 22
        static let maximumCaptionLines = 6

        let captionLines: [[[UInt8]]]
        let labelLines: [[[UInt8]]]
        let cellWidth: Int
        let cellHeight: Int
        let width: Int
        let height: Int
        private let labelWidth: Int
        private let captionHeight: Int

        init(captions: [String], labels: [String], picture: Picture, scale: Int) {
            cellWidth = picture.width * scale
            cellHeight = picture.height * scale
            let columns = max(cellWidth / BitmapFont.advance, 3)
            captionLines = captions.map {
                TextWrap.lines($0, columns: columns, maximumLines: Self.maximumCaptionLines)
            }
            let labelRows = max((cellHeight + Self.gap) / BitmapFont.lineHeight, 1)
            labelLines = labels.map { TextWrap.lines($0, columns: Self.labelColumns, maximumLines: labelRows) }
            let longest = labelLines.joined().map(\.count).max() ?? 0
            labelWidth = longest == 0 ? 0 : longest * BitmapFont.advance + Self.gap
            let captionRows = captionLines.map(\.count).max() ?? 0
            captionHeight = captionRows == 0 ? 0 : captionRows * BitmapFont.lineHeight + Self.gap
            width = 2 * Self.margin + labelWidth + captions.count * (cellWidth + Self.gap) - Self.gap
            height = 2 * Self.margin + captionHeight + labels.count * (cellHeight + Self.gap) - Self.gap
        }

        func left(of column: Int) -> Int { Self.margin + labelWidth + column * (cellWidth + Self.gap) }
        func top(of row: Int) -> Int { Self.margin + captionHeight + row * (cellHeight + Self.gap) }
    }
}
