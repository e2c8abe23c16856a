import TestSupport
import Testing
import VernierCore

@testable import TextEncoding

@Suite("Text tokeniser")
struct TextTokenizerTests {
    private let tokenizer: TextTokenizer
    private let cases: TokenizerCases

    init() throws {
        tokenizer = try TextTokenizer(path: Golden.path("tok-a.spiece.model"))
        cases = try TokenizerCases()
    }

    @Test("The ids of every text on which the reference tokenisers agree")
    func texts() throws {
        let texts = try cases.texts("text")
        let expected = try cases.ids("ids")
        let agree = try cases.agree()
        #expect(texts.count == 227 && agree.count { $0 } == 225)
        for index in texts.indices where agree[index] {
            expectSame(try tokenizer.encode(texts[index]), expected[index], what: "text \(index) '\(texts[index])'")
        }
    }

    @Test("The two texts on which they differ get the SentencePiece library's ids")
    func differingTexts() throws {
        let texts = try cases.texts("text")
        let expected = try cases.ids("ids_sentencepiece")
        let agree = try cases.agree()
        for index in texts.indices where !agree[index] {
            expectSame(try tokenizer.encode(texts[index]), expected[index], what: "text \(index)")
        }
    }

    @Test("Control tokens written out in a text become their ids")
    func controlTokens() throws {
        let texts = try cases.texts("special.text")
        let expected = try cases.ids("special.ids")
        #expect(texts.count == 14)
        for index in texts.indices {
            expectSame(try tokenizer.encode(texts[index]), expected[index], what: "'\(texts[index])'")
        }
    }

    @Test("Truncation keeps the end token")
    func truncation() throws {
        let texts = try cases.texts("padded.text")
        let expected = try cases.padded()
        let short = try TextTokenizer(path: Golden.path("tok-a.spiece.model"), maximumTokens: 24)
        #expect(texts.count == expected.count)
        for index in texts.indices {
            expectSame(try short.encode(texts[index]), expected[index].ids, what: "text \(index)")
            #expect(expected[index].padding.allSatisfy { $0 == TextTokenizer.padID })
        }
        let one = try TextTokenizer(path: Golden.path("tok-a.spiece.model"), maximumTokens: 1)
        #expect(try one.encode(texts[0]) == [TextTokenizer.endID])
    }

    @Test("Empty and blank texts are the end token alone", arguments: ["", " ", "\n\t  \r\n", "\u{3000}"])
    func emptyText(_ text: String) throws {
        #expect(try tokenizer.encode(text) == [TextTokenizer.endID])
    }

    @Test("Odd texts are encoded: NUL, controls, long runs, unpaired marks; every id is in range")
    func oddTexts() throws {
        #expect(tokenizer.idCount == 620)
        var random = SplitMix64(seed: 5)
        let noise = (0..<200).map { _ in
            String(
                decoding: (0..<random.integer(in: 0..<80)).map { _ in UInt8(random.integer(in: 0..<256)) },
                as: UTF8.self)
        }
        let odd = [
            "a\0b", "\u{1}\u{7F}", String(repeating: "a", count: 20_000), "\u{301}\u{301}", "\u{FFFD}", "<",
            "<extra_id_",
            "<<</s>>>", "\u{202E}abc", "\u{1F468}\u{200D}\u{1F469}",
        ]
        for text in odd + noise {
            let ids = try tokenizer.encode(text)
            #expect((1...512).contains(ids.count) && ids.last == TextTokenizer.endID)
            #expect(ids.allSatisfy { (0..<620).contains($0) })
            #expect(try tokenizer.encode(text) == ids)
        }
    }

    @Test("A file that is no model of T5's kind is refused")
    func hostileModels() throws {
        let folder = TemporaryDirectory()
        func load(_ bytes: [UInt8]) throws -> VernierError {
            try AtomicFile.write(bytes, to: folder.file("bad.model"))
            return try #require(throws: VernierError.self) { _ = try TextTokenizer(path: folder.file("bad.model")) }
        }
        let model = try MappedFile(path: Golden.path("tok-a.spiece.model"))
        let bytes = withExtendedLifetime(model) { Array(model.bytes) }
        for bad in [[], [0], Array("no model at all".utf8), Array(bytes[..<1000]), Array(bytes.dropLast(1))] {
            let error = try load(bad)
            #expect(error.description.hasPrefix("bad.model: expected"), "\(error)")
        }
        let missing = try #require(throws: VernierError.self) { _ = try TextTokenizer(path: folder.file("none")) }
        #expect(missing.code == .fileAccess)
        let argument = try #require(throws: VernierError.self) {
            _ = try TextTokenizer(path: Golden.path("tok-a.spiece.model"), maximumTokens: 0)
        }
        #expect(argument.code == .invalidArgument)
    }

    @Test("A model cut short at any of many places is refused, or encodes without harm")
    func cutModels() throws {
        let bytes = try goldenModel()
        for count in stride(from: 1, to: bytes.count, by: 97) { _ = encodeAnyway(Array(bytes[..<count])) }
        #expect(encodeAnyway(bytes))
    }

    @Test("A model with flipped bytes is refused, or encodes without harm")
    func flippedModels() throws {
        let bytes = try goldenModel()
        // The file: 7 KB of pieces, the trainer's settings, then the normaliser's with 240 KB of character map.
        let parts = [0..<7021, 7021..<7091, 7091..<9000, 7091..<bytes.count, bytes.count - 40..<bytes.count]
        var random = SplitMix64(seed: 77)
        var acceptedCount = 0
        let rounds = fuzzRounds(400)
        for round in 0..<rounds {
            var damaged = bytes
            for _ in 0..<random.integer(in: 1..<4) {
                let part = parts[round % parts.count]
                damaged[random.integer(in: part)] = UInt8(random.integer(in: 0..<256))
            }
            if encodeAnyway(damaged) { acceptedCount += 1 }
        }
        #expect(acceptedCount > rounds / 20 && acceptedCount < rounds)
    }

    @Test("A character map that leads out of its bounds is refused")
    func characterMaps() throws {
        let bytes = try goldenModel()
        #expect(bytes.withUnsafeBytes { CharacterMap.areSound(inModel: $0) })
        // ModelProto { normaliser (3) { map (2) } } with a trie of that many units and "ab" as replacements.
        func model(_ units: [UInt32], statedByteCount: Int? = nil) -> Bool {
            let trie = units.flatMap { unit in withUnsafeBytes(of: unit.littleEndian) { Array($0) } }
            let length = UInt32(statedByteCount ?? trie.count)
            let map = withUnsafeBytes(of: length.littleEndian) { Array($0) } + trie + [97, 98, 0]
            func field(_ number: UInt8, _ content: [UInt8]) -> [UInt8] {
                [number << 3 | 2, UInt8(content.count & 127) | 128, UInt8(content.count >> 7)] + content
            }
            return field(3, field(2, map)).withUnsafeBytes { CharacterMap.areSound(inModel: $0) }
        }
        // The root's offset is 256; 'a' leads to 256 ^ 97 with a leaf at (256 ^ 97) ^ offset.
        var units = [UInt32](repeating: 0x8000_0000, count: 512)
        units[0] = 256 << 10
        units[256 ^ 97] = UInt32((256 ^ 97) ^ 256) << 10 | 1 << 8 | 97
        units[256] = 0x8000_0000 | 2
        #expect(model(units))
        units[256] = 0x8000_0000 | 4
        #expect(!model(units), "a replacement beyond the strings")
        units[256] = 0x8000_0000
        #expect(!model(Array(units[..<511])), "a node whose children would end outside")
        units[256 ^ 97] = UInt32(1 << 20) << 10 | 97
        #expect(!model(units), "an offset far outside")
        #expect(!model([]), "an empty trie")
        #expect(!model(units, statedByteCount: 1 << 20), "a trie longer than the map")
        #expect(!model(units, statedByteCount: 2047), "a trie that is no whole number of units")
    }

    private func goldenModel() throws -> [UInt8] {
        let file = try MappedFile(path: Golden.path("tok-a.spiece.model"))
        return withExtendedLifetime(file) { Array(file.bytes) }
    }

    /// Encodes a few texts if the model loads; returns whether it did.
    private func encodeAnyway(_ bytes: [UInt8]) -> Bool {
        guard let model = try? bytes.withUnsafeBytes({ try SentencePieceModel($0, name: "damaged.model") }) else {
            return false
        }
        for text in [
            "", "hello world", "\u{e9} e\u{301} \u{fb01} \u{ff21}\u{3000}\u{1F468}", "4K, 35mm  a</s>\n zz\u{0}",
        ] {
            _ = try? model.encode(text)
        }
        return true
    }
}
