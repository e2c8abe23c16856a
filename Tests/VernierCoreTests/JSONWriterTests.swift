import Testing
import VernierCore

@Suite struct JSONWriterTests {
    @Test func canonicalTextIsSortedAndIndented() throws {
        let value: JSONValue = [
            "b": [1, 2.5, "x", true], "a": ["z": .null, "Z": [], "é": [:]], "c": [[1, 2], [3]], "ab": -0.0,
        ]
        #expect(
            try value.canonicalText() == """
                {
                  "a": {
                    "Z": [],
                    "z": null,
                    "é": {}
                  },
                  "ab": -0.0,
                  "b": [1, 2.5, "x", true],
                  "c": [
                    [1, 2],
                    [3]
                  ]
                }

                """)
        #expect(
            try value.canonicalLine()
                == #"{"a": {"Z": [], "z": null, "é": {}}, "ab": -0.0, "b": [1, 2.5, "x", true], "c": [[1, 2], [3]]}"#)
    }

    @Test func stringsAreEscapedAsLittleAsAllowed() throws {
        #expect(
            try JSONValue.string("\"\\/\u{0}\u{1F}\u{7F}\n\t\u{8}\u{C}\ré😀").canonicalLine()
                == "\"\\\"\\\\/\\u0000\\u001f\u{7F}\\n\\t\\b\\f\\ré😀\"")
    }

    @Test(arguments: [0.1, 1, -0.0, 1e16, 1e-7, .leastNonzeroMagnitude, .greatestFiniteMagnitude, .pi, 123_456_789.123])
    func numbersReadBackEqual(_ number: Double) throws {
        let text = try JSONValue.number(number).canonicalLine()
        #expect(try JSONValue.parse(text, name: text) == .number(number))
    }

    @Test(arguments: [Double.nan, .infinity, -.infinity]) func nonFiniteNumbersCannotBeWritten(_ number: Double) throws
    {
        let error = try #require(throws: VernierError.self) { try JSONValue.array([.number(number)]).canonicalText() }
        #expect(error.code == .nonFinite)
    }

    @Test func orderOfMembersDoesNotMatter() throws {
        let one = try JSONValue.parse(#"{"a": 1, "b": {"x": 0, "y": [ ]}}"#, name: "1")
        let two = try JSONValue.parse(#"{"b": {"y": [], "x": 0}, "a": 1}"#, name: "2")
        #expect(try one.canonicalText() == two.canonicalText())
    }

    @Test func settingMembersReplacesAppendsAndRemoves() {
        var object = JSONObject()
        for index in 0..<20 { object["k\(index)"] = .integer(Int64(index)) }
        object["k3"] = "new"
        object["k0"] = nil
        #expect(object.count == 19)
        #expect(object.keys.first == "k1")
        #expect(object["k3"] == "new")
        #expect(object["k19"] == 19)
        #expect(object["k0"] == nil)
    }
}
