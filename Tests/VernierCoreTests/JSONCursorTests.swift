import Testing
import VernierCore

@Suite struct JSONCursorTests {
    private static let root = JSONCursor(
        [
            "transformer": ["depth": 32, "width": 2.5, "name": "inf", "flag": true, "none": .null],
            "grids": [[1, 1], [2, 0]], "odd key": 1,
        ], place: "config.json")

    @Test func readsTypedValues() throws {
        let model = try Self.root.member("transformer")
        #expect(try model.member("depth").integer(in: 1...64) == 32)
        #expect(try model.member("depth").number(in: 0...40) == 32)
        #expect(try model.member("width").number() == 2.5)
        #expect(try model.member("name").string() == "inf")
        #expect(try model.member("flag").bool())
        #expect(try model.optionalMember("none") == nil)
        #expect(try model.optionalMember("absent") == nil)
        #expect(try Self.root.member("grids").elements().map { try $0.integers(in: 0...2) } == [[1, 1], [2, 0]])
        #expect(try model.member("depth").place == "config.json: transformer.depth")
        #expect(Self.root.place == "config.json")
    }

    struct Failure: Sendable, CustomTestStringConvertible {
        let message: String
        let read: @Sendable (JSONCursor) throws -> Void
        var testDescription: String { message }
    }

    static let failures: [Failure] = [
        Failure(message: "config.json: transformer.depth: expected a whole number from 1 to 16, found 32.") {
            _ = try $0.member("transformer").member("depth").integer(in: 1...16)
        },
        Failure(message: "config.json: transformer.width: expected a whole number of at least 1, found 2.5.") {
            _ = try $0.member("transformer").member("width").integer(in: 1...Int.max)
        },
        Failure(message: "config.json: transformer.width: expected a number from 0.0 to 1.0, found 2.5.") {
            _ = try $0.member("transformer").member("width").number(in: 0...1)
        },
        Failure(message: "config.json: grids[1][0]: expected a string, found 2.") {
            _ = try $0.member("grids").elements()[1].elements()[0].string()
        },
        Failure(message: "config.json: grids[1]: expected an array of 3, found an array of 2.") {
            _ = try $0.member("grids").elements()[1].elements(count: 3)
        },
        Failure(message: "config.json: transformer.name: expected an object, found the string \"inf\".") {
            _ = try $0.member("transformer").member("name").member("x")
        },
        Failure(message: "config.json: transformer: expected a member \"heads\", found none.") {
            _ = try $0.member("transformer").member("heads")
        },
        Failure(message: "config.json: [\"odd key\"]: expected true or false, found 1.") {
            _ = try $0.member("odd key").bool()
        },
        Failure(message: "config.json: expected only the members grids, found also \"transformer\", \"odd key\".") {
            try $0.requireOnly(keys: ["grids"])
        },
    ]

    @Test(arguments: failures) func errorsSayWhere(_ failure: Failure) throws {
        let error = try #require(throws: VernierError.self) { try failure.read(Self.root) }
        #expect(error.code == .malformedFile)
        #expect(error.description == failure.message)
    }

    @Test func untrustedTextIsShortened() {
        #expect(JSONValue.quoted(String(repeating: "x", count: 61)) == "\"\(String(repeating: "x", count: 60))...\"")
        #expect(JSONValue.quoted("a\n") == "\"a\\n\"")
    }
}
