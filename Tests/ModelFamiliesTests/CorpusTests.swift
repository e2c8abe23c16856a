import Generation
import TestSupport
import Testing
import VernierCore

@Suite struct CorpusTests {
    func corpus(_ text: String) throws -> Corpus {
        var text = text
        return try text.withUTF8 { try Corpus(bytes: UnsafeRawBufferPointer($0), fileName: "c.jsonl") }
    }

    @Test func readsPromptsAndScenes() throws {
        let text =
            #"{"prompt": "a red cat", "scene": {"objects": [1, 2.5]}}"# + "\n" + #"{ "prompt":"\u00fc" }"# + "\r\n"
        let read = try corpus(text)
        #expect(
            read.prompts == [
                CorpusPrompt(index: 0, prompt: "a red cat", scene: ["objects": [1, 2.5]]),
                CorpusPrompt(index: 1, prompt: "ü"),
            ])
        #expect(read.digest == Digest.of(Array(text.utf8)))
        #expect(read.prompts[1].digest == Digest.of([0xC3, 0xBC]))
        #expect(try corpus(String(text.dropLast())).prompts == read.prompts, "without the last newline")
        #expect(try corpus(String(text.dropLast())).digest != read.digest)

        let folder = TemporaryDirectory()
        try AtomicFile.write(text, to: folder.file("c.jsonl"))
        #expect(try Corpus(path: folder.file("c.jsonl")) == read)
    }

    @Test func severalPicturesAPrompt() throws {
        let read = try corpus("{\"prompt\":\"a\",\"negative_prompt\":\"n\"}\n{\"prompt\":\"b\"}\n{\"prompt\":\"c\"}\n")
        #expect(read.drawing(1, ofFirst: 2) == read, "whoever runs it limits it")
        let twice = read.drawing(2, ofFirst: nil), four = read.drawing(4, ofFirst: 2)
        #expect(
            twice.prompts.map(\.index) == Array(0..<6)
                && twice.prompts.map(\.caption) == ["a", "b", "c", "a", "b", "c"])
        #expect(twice.prompts[3].negative == "n" && twice.prompts[3].digest == read.prompts[0].digest)
        #expect(four.prompts.map(\.caption) == ["a", "b", "a", "b", "a", "b", "a", "b"])
        #expect(Set([read, twice, four, read.drawing(2, ofFirst: 2)].map(\.digest)).count == 4)
        // What statistics note of the corpus finds it again.
        #expect(read.drawn(digest: read.digest, count: 2) == read)
        #expect(read.drawn(digest: four.digest, count: 8) == four)
        #expect(read.drawn(digest: twice.digest, count: 6) == twice)
        #expect(read.drawn(digest: four.digest, count: 6) == nil)
        #expect(try corpus("{\"prompt\":\"a\"}").drawn(digest: twice.digest, count: 6) == nil)
    }

    @Test func readsNegativePrompts() throws {
        let read = try corpus(
            #"{"prompt":"a cat","negative_prompt":"blur"}"# + "\n" + #"{"prompt":"a cat"}"# + "\n"
                + #"{"prompt":"a cat","negative_prompt":"dogs"}"#)
        #expect(read.prompts.map(\.negative) == ["blur", nil, "dogs"])
        #expect(read.prompts[0] == CorpusPrompt(index: 0, prompt: "a cat", negative: "blur"))
        #expect(Set(read.prompts.map(\.digest)).count == 3, "what is drawn differs")
        #expect(read.prompts.map { $0.leading(awayFrom: "dogs").negative } == ["blur", "dogs", "dogs"])
        #expect(read.prompts.map { $0.leading(awayFrom: nil) } == read.prompts)
        #expect(CorpusPrompt(index: 0, subject: .imageClass(1)).leading(awayFrom: "dogs").negative == nil)
        for line in [
            #"{"prompt":"a cat","negative_prompt":""}"#, #"{"class":1,"negative_prompt":"dogs"}"#,
            #"{"prompt":"a cat","negative_prompt":3}"#, #"{"negative_prompt":"dogs"}"#,
        ] {
            let error = #expect(throws: VernierError.self) { try corpus(line) }
            #expect(error?.place.contains("c.jsonl, line 1") == true)
        }
    }

    @Test func readsClasses() throws {
        let read = try corpus(#"{"class": 207}"# + "\n" + #"{"class":0,"scene":{}}"#)
        #expect(
            read.prompts == [
                CorpusPrompt(index: 0, subject: .imageClass(207)),
                CorpusPrompt(index: 1, subject: .imageClass(0), scene: [:]),
            ])
        #expect(read.prompts.map(\.caption) == ["class 207", "class 0"])
        #expect(read.prompts[0].digest == Digest.of(Array(#"{"class":207}"#.utf8)))
        #expect(read.prompts[0].digest != CorpusPrompt(index: 0, prompt: "class 207").digest)
    }

    struct Refusal: Sendable, CustomTestStringConvertible {
        let text: String
        let message: String
        var testDescription: String { String(text.prefix(40)) }

        init(_ text: String, _ message: String) {
            self.text = text
            self.message = message
        }
    }

    static let good = #"{"prompt": "a"}"# + "\n"

    static let refusals: [Refusal] = [
        Refusal("", "c.jsonl: expected at least one prompt, found none."),
        Refusal("\n", "c.jsonl, line 1, column 1: "),
        Refusal(good + "\n" + good, "c.jsonl, line 2, column 1: "),
        Refusal(good + "  \n", "c.jsonl, line 2, column 3: "),
        Refusal(good + #"{"prompt": "a",}"#, "c.jsonl, line 2, column 16: "),
        Refusal(good + #"{"prompt": "a", "kind": 3}"#, "c.jsonl, line 2: "),
        Refusal(good + #"{"prompt": "a", "class": 3}"#, "c.jsonl, line 2: expected a prompt or a class, found both"),
        Refusal(good + #"{"class": -1}"#, "c.jsonl, line 2: class: expected a whole number from 0 to"),
        Refusal(good + #"{"class": "3"}"#, "c.jsonl, line 2: class: expected a whole number"),
        Refusal(good + #"{"class": 2147483648}"#, "c.jsonl, line 2: class: expected a whole number from 0 to"),
        Refusal(#"{"scene": {}}"#, "c.jsonl, line 1"),
        Refusal(#"{"prompt": 3}"#, "c.jsonl, line 1: prompt: expected a string, found"),
        Refusal(#"{"prompt": ""}"#, "c.jsonl, line 1: prompt: expected a text to draw, found an empty one"),
        Refusal(#"{"prompt": "a", "scene": [1]}"#, "c.jsonl, line 1: scene: expected an object, found"),
        Refusal(#"["a"]"#, "c.jsonl, line 1: expected an object"),
        Refusal("\u{FEFF}" + good, "c.jsonl, line 1, column 1: "),
        Refusal(
            good + #"{"prompt": ""# + String(repeating: "x", count: 65_536 - 13) + #""}"#,
            "c.jsonl, line 2: expected at most 65536 bytes, found 65537."),
    ]

    @Test(arguments: refusals) func refusesWithTheLine(_ refusal: Refusal) throws {
        let error = #expect(throws: VernierError.self) { try corpus(refusal.text) }
        #expect(error?.description.hasPrefix(refusal.message) == true, "\(error?.description ?? "")")
    }

    @Test func acceptsTheLongestLine() throws {
        let line = #"{"prompt": ""# + String(repeating: "x", count: Corpus.longestLineBytes - 14) + #""}"#
        #expect(line.utf8.count == Corpus.longestLineBytes)
        #expect(try corpus(Self.good + line).prompts.count == 2)
    }
}
