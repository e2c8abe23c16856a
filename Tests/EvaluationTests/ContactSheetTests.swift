import Generation
import TestSupport
import Testing
import VernierCore

@testable import Evaluation

@Suite struct ContactSheetTests {
    private func flat(_ width: Int, _ height: Int, _ value: UInt8) throws -> Picture {
        try Picture(width: width, height: height, pixels: [UInt8](repeating: value, count: 3 * width * height))
    }

    private func pixel(_ picture: Picture, _ x: Int, _ y: Int) -> [UInt8] {
        Array(picture.pixels[3 * (y * picture.width + x)..<3 * (y * picture.width + x) + 3])
    }

    @Test func picturesAreEnlargedByWholePixels() throws {
        let checks = try Picture(width: 2, height: 1, pixels: [255, 0, 0, 0, 0, 255])
        var sheet = ContactSheet(captions: [""], scale: 3)
        sheet.add(ContactSheet.Row(label: "", pictures: [checks]))
        let drawn = try sheet.render()
        // Without text: a margin of 8 around one picture of 6 x 3.
        #expect((drawn.width, drawn.height) == (22, 19))
        for y in 0..<19 {
            for x in 0..<22 {
                let isInside = (8..<14).contains(x) && (8..<11).contains(y)
                let expected: [UInt8] = !isInside ? [255, 255, 255] : x < 11 ? [255, 0, 0] : [0, 0, 255]
                #expect(pixel(drawn, x, y) == expected)
            }
        }
    }

    @Test func rowsAndColumnsStandInOrder() throws {
        var sheet = ContactSheet(captions: ["a red square", "b"], scale: 1)
        sheet.add(ContactSheet.Row(label: "full", pictures: [try flat(40, 30, 10), try flat(40, 30, 20)]))
        sheet.add(ContactSheet.Row(label: "ours", pictures: [try flat(40, 30, 30), nil]))
        let drawn = try sheet.render()
        // Margin 8; labels of 4 letters: 24 + 6; captions of two lines ("a red", "square"): 18 + 6.
        let (left, top) = (8 + 30, 8 + 24)
        #expect((drawn.width, drawn.height) == (left + 40 + 6 + 40 + 8, top + 30 + 6 + 30 + 8))
        for (column, row, value) in [(0, 0, 10), (1, 0, 20), (0, 1, 30), (1, 1, 225)] as [(Int, Int, UInt8)] {
            let (x, y) = (left + column * 46, top + row * 36)
            #expect(pixel(drawn, x, y) == [value, value, value])
            #expect(pixel(drawn, x + 39, y + 29) == [value, value, value])
            #expect(pixel(drawn, x - 1, y) == [255, 255, 255])
        }
        #expect(try sheet.render() == drawn)
    }

    @Test func textIsWrittenWithTheFont() throws {
        var sheet = ContactSheet(captions: [""], scale: 1)
        sheet.add(ContactSheet.Row(label: "H", pictures: [try flat(20, 20, 99)]))
        let drawn = try sheet.render()
        for row in 0..<7 {
            let line = (0..<5).map { pixel(drawn, 8 + $0, 8 + row) == [0, 0, 0] ? "#" : "." }.joined()
            #expect(line == (row == 3 ? "#####" : "#...#"))
        }
    }

    @Test func everyPrintableCharacterHasItsOwnGlyph() {
        var seen: Set<[Bool]> = []
        for character in UInt8(0x20)...0x7F {
            let glyph = (0..<35).map { BitmapFont.isSet(character, column: $0 % 5, row: $0 / 5) }
            #expect(seen.insert(glyph).inserted, "glyph \(character)")
        }
        #expect(BitmapFont.characters("aé~\n") == [0x61, 0x7F, 0x7E, 0x7F])
    }

    @Test(
        arguments: [
            ("", 10, 2, []), ("one two", 10, 2, ["one two"]), ("one two", 6, 2, ["one", "two"]),
            ("  one   two  ", 7, 1, ["one two"]), ("abcdefgh", 3, 9, ["abc", "def", "gh"]),
            ("one two three", 5, 2, ["one", "tw..."]), ("ab cdefgh", 5, 9, ["ab", "cdefg", "h"]),
        ] as [(String, Int, Int, [String])]) func textIsWrapped(
            text: String, columns: Int, maximumLines: Int, expected: [String]
        )
    {
        let lines = TextWrap.lines(text, columns: columns, maximumLines: maximumLines)
        #expect(lines.map { String(decoding: $0, as: UTF8.self) } == expected)
    }

    @Test func differencesAreAmplifiedAroundGrey() throws {
        let picture = try Picture(width: 3, height: 1, pixels: [10, 10, 10, 20, 5, 10, 255, 0, 10])
        let reference = try flat(3, 1, 10)
        var sheet = ContactSheet(captions: ["x"])
        try sheet.addDifferences(label: "d", pictures: [picture], references: [reference], amplification: 4)
        #expect(sheet.rows[0].pictures[0]?.pixels == [128, 128, 128, 168, 108, 128, 255, 88, 128])
        try sheet.addDifferences(label: "none", pictures: [nil], references: [reference])
        #expect(sheet.rows[1].pictures == [nil])
        #expect(throws: VernierError.self) {
            try sheet.addDifferences(label: "d", pictures: [picture], references: [try flat(2, 1, 0)])
        }
    }

    @Test func theDefaultScaleMakesSmallPicturesVisible() throws {
        for (side, scale) in [(1, 144), (48, 3), (64, 3), (144, 1), (300, 1)] {
            var sheet = ContactSheet(captions: [""])
            sheet.add(ContactSheet.Row(label: "", pictures: [try flat(side, side, 0)]))
            #expect(try sheet.render().width == 16 + side * scale)
        }
    }

    @Test func whatDoesNotFitTogetherIsReportedAtOnce() throws {
        var sheet = ContactSheet(captions: ["a", "b"])
        sheet.add(ContactSheet.Row(label: "full", pictures: [try flat(4, 4, 0), try flat(4, 5, 0)]))
        sheet.add(ContactSheet.Row(label: "ours", pictures: [try flat(4, 4, 0)]))
        let error = #expect(throws: VernierError.self) { try sheet.render() }
        #expect(
            error?.description
                == """
                contact sheet: expected 4 x 4 pixels in row 'full', column 1, found 4 x 5; expected 2 pictures in row \
                'ours', found 1.
                """)
        #expect(throws: VernierError.self) { try ContactSheet(captions: ["a"]).render() }
        #expect(throws: VernierError.self) { try ContactSheet(captions: []).render() }
        var large = ContactSheet(captions: ["a"], scale: 16_384)
        large.add(ContactSheet.Row(label: "", pictures: [try flat(2, 2, 0)]))
        let tooLarge = #expect(throws: VernierError.self) { try large.render() }
        #expect(tooLarge?.code == .invalidArgument)
        large.scale = 0
        #expect(throws: VernierError.self) { try large.render() }
    }
}
