import Testing
import VernierCore

struct ParsedText: Sendable, CustomTestStringConvertible {
    let text: String
    let value: JSONValue
    var testDescription: String { text }
}

struct RefusedText: Sendable, CustomTestStringConvertible {
    let bytes: [UInt8]
    let message: String
    var testDescription: String { message }

    init(_ text: String, _ message: String) {
        self.bytes = Array(text.utf8)
        self.message = message
    }

    init(bytes: [UInt8], _ message: String) {
        self.bytes = bytes
        self.message = message
    }
}

@Suite struct JSONParserTests {
    static let parsed: [ParsedText] = [
        ParsedText(text: " null ", value: .null),
        ParsedText(text: "true", value: .bool(true)),
        ParsedText(text: "\t\r\nfalse", value: .bool(false)),
        ParsedText(text: "0", value: .integer(0)),
        ParsedText(text: "-0", value: .number(-0.0)),
        ParsedText(text: "9223372036854775807", value: .integer(.max)),
        ParsedText(text: "-9223372036854775808", value: .integer(.min)),
        ParsedText(text: "9223372036854775808", value: .number(9_223_372_036_854_775_808)),
        ParsedText(text: "1.0", value: .number(1)),
        ParsedText(text: "-1.5e-3", value: .number(-0.0015)),
        ParsedText(text: "1E+2", value: .number(100)),
        ParsedText(text: "\"\"", value: .string("")),
        ParsedText(text: "\"aé漢😀\"", value: .string("aé漢😀")),
        ParsedText(text: #""\"\\\/\b\f\n\r\t\u00e9\uD83D\uDE00x""#, value: .string("\"\\/\u{8}\u{C}\n\r\té😀x")),
        ParsedText(text: "[]", value: .array([])),
        ParsedText(text: "[ 1 , [ ] , { } ]", value: .array([1, .array([]), .object(JSONObject())])),
        ParsedText(text: #"{"b": 1, "a": [true]}"#, value: ["b": 1, "a": [true]]),
        // Keys are told apart by bytes: these two are canonically equivalent.
        ParsedText(text: #"[{"\u00e9": 1}, {"e\u0301": 1}]"#, value: [["é": 1], ["e\u{301}": 1]]),
    ]

    @Test(arguments: parsed) func parsesValidText(_ example: ParsedText) throws {
        #expect(try JSONValue.parse(example.text, name: "x.json") == example.value)
    }

    static let refused: [RefusedText] = [
        RefusedText("", "x.json, line 1, column 1: expected a value, found the end of the text."),
        RefusedText(
            "nul", "x.json, line 1, column 1: expected a value, found a word that is none of true, false, null."),
        RefusedText("NaN", "x.json, line 1, column 1: expected a value, found 'N'."),
        RefusedText("1 2", "x.json, line 1, column 3: expected the end of the text, found '2'."),
        RefusedText("\u{FEFF}1", "x.json, line 1, column 1: expected a value, found the byte 239."),
        RefusedText("01", "x.json, line 1, column 1: a number starts with 0 and goes on with digits."),
        RefusedText("-", "x.json, line 1, column 2: expected a digit, found the end of the text."),
        RefusedText("+1", "x.json, line 1, column 1: expected a value, found '+'."),
        RefusedText("1.", "x.json, line 1, column 3: expected a digit, found the end of the text."),
        RefusedText(".5", "x.json, line 1, column 1: expected a value, found '.'."),
        RefusedText("1e", "x.json, line 1, column 3: expected a digit, found the end of the text."),
        RefusedText("1e400", "x.json, line 1, column 1: the number 1e400 is beyond the range of a 64-bit float."),
        RefusedText("[1,]", "x.json, line 1, column 4: expected a value, found ']'."),
        RefusedText("[1\n2]", "x.json, line 2, column 1: expected ',' or ']' after the element, found '2'."),
        RefusedText(
            "[1", "x.json, line 1, column 3: expected ',' or ']' after the element, found the end of the text."),
        RefusedText("{a:1}", "x.json, line 1, column 2: expected a key in quotes, found 'a'."),
        RefusedText("{\"a\" 1}", "x.json, line 1, column 6: expected ':' after the key, found '1'."),
        RefusedText("{\"a\":1,}", "x.json, line 1, column 8: expected a key in quotes, found '}'."),
        RefusedText(
            "{\"é\": {},\n  \"é\": 2}", "x.json, line 2, column 3: the key \"é\" appears twice in one object."),
        RefusedText("\"é\u{1}\"", "x.json, line 1, column 3: a control character (1) stands in a string."),
        RefusedText(
            "\"a", "x.json, line 1, column 3: expected '\"' at the end of the string, found the end of the text."),
        RefusedText(#""\x""#, "x.json, line 1, column 2: a backslash is followed by something that is no escape."),
        RefusedText(#""\u12G4""#, "x.json, line 1, column 6: expected four hexadecimal digits, found 'G'."),
        RefusedText(#""\uD800""#, "x.json, line 1, column 2: half of a surrogate pair stands alone."),
        RefusedText(#""\uD800\u0041""#, "x.json, line 1, column 2: half of a surrogate pair stands alone."),
        RefusedText(#""\uDC00""#, "x.json, line 1, column 2: half of a surrogate pair stands alone."),
        RefusedText(bytes: [0x22, 0xC0, 0x80, 0x22], "x.json, line 1, column 2: the text is not valid UTF-8."),
        RefusedText(bytes: [0x22, 0xED, 0xA0, 0x80, 0x22], "x.json, line 1, column 2: the text is not valid UTF-8."),
        RefusedText(
            bytes: [0x22, 0xF4, 0x90, 0x80, 0x80, 0x22], "x.json, line 1, column 2: the text is not valid UTF-8."),
        RefusedText(bytes: [0x22, 0xE2, 0x82, 0x22], "x.json, line 1, column 2: the text is not valid UTF-8."),
        RefusedText(bytes: [0x22, 0xC3], "x.json, line 1, column 2: the text is not valid UTF-8."),
        RefusedText(
            String(repeating: "[", count: 100_000),
            "x.json, line 1, column 65: arrays and objects are nested too deeply."),
    ]

    @Test(arguments: refused) func refusesMalformedText(_ example: RefusedText) throws {
        let error = try #require(throws: VernierError.self) { try JSONValue.parse(example.bytes, name: "x.json") }
        #expect(error.code == .malformedFile)
        #expect(error.description == example.message)
    }

    @Test func refusesEveryTruncation() throws {
        let bytes = Array(#"{"a": [1, -2.5e3, "x\u00e9\n漢"], "b": {"c": null, "d": [true, false]}}"#.utf8)
        _ = try JSONValue.parse(bytes, name: "whole")
        for count in 0..<bytes.count {
            #expect(throws: VernierError.self, "cut to \(count) bytes") {
                try JSONValue.parse(Array(bytes[..<count]), name: "cut")
            }
        }
    }

    @Test func survivesEveryChangedByte() throws {
        let bytes = Array(#"{"a":[1,-2.5e3,"x\u00e9\uD83D\uDE00"],"b":{"c":null}}"#.utf8)
        for position in bytes.indices {
            for byte in UInt8.min...UInt8.max {
                var changed = bytes
                changed[position] = byte
                if let value = try? JSONValue.parse(changed, name: "x") {
                    #expect(try JSONValue.parse(value.canonicalLine(), name: "y") == (try sorted(value)))
                }
            }
        }
    }

    private func sorted(_ value: JSONValue) throws -> JSONValue {
        guard case .object(let object) = value else { return value }
        var result = JSONObject()
        for key in object.keys.sorted(by: { $0.utf8.lexicographicallyPrecedes($1.utf8) }) {
            result[key] = try sorted(#require(object[key]))
        }
        return .object(result)
    }

    @Test func depthCountsArraysAndObjects() throws {
        #expect(throws: VernierError.self) { try JSONValue.parse("[{\"a\":[]}]", name: "x", maximumDepth: 2) }
        _ = try JSONValue.parse("[{\"a\":[]},{\"a\":[]}]", name: "x", maximumDepth: 3)
        #expect(throws: VernierError.self) {
            try JSONValue.parse(String(repeating: "[", count: 4000), name: "x", maximumDepth: .max)
        }
    }

    @Test func largeObjectsKeepOrderAndRefuseDuplicates() throws {
        let keys = (0..<5000).map { "tensor.\(($0 * 7919) % 5000)" }
        let text = "{" + keys.map { "\"\($0)\": [1, 2]" }.joined(separator: ",") + "}"
        guard case .object(let object) = try JSONValue.parse(text, name: "x") else { throw CancellationError() }
        #expect(object.keys == keys)
        #expect(object["tensor.4999"] == [1, 2])
        #expect(object["tensor.5000"] == nil)
        #expect(throws: VernierError.self) {
            try JSONValue.parse(text.dropLast() + ", \"tensor.17\": 0}", name: "x")
        }
    }
}
