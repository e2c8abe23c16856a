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
        let folder = TemporaryDirectory()
        let model = try MappedFile(path: Golden.path("tok-a.spiece.model"))
        let bytes = withExtendedLifetime(model) { Array(model.bytes) }
        try withEvery("byteCount", in: stride(from: 1, to: bytes.count, by: 997)) { count in
            try AtomicFile.write(Array(bytes[..<count]), to: folder.file("cut.model"))
            if let loaded = try? TextTokenizer(path: folder.file("cut.model")) { _ = try? loaded.encode("hello world") }
        }
    }
}
