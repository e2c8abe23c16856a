import Testing
import VernierCore

@testable import ProfileFormat

@Suite struct HostileProfileTests {
    /// A change to the text of a valid profile, and what the error must say.
    struct Change: Sendable, CustomTestStringConvertible {
        let from: String
        let to: String
        let message: String
        var code = VernierError.Code.malformedFile
        var testDescription: String { "\(from) -> \(to.prefix(40))" }
    }

    static let changes: [Change] = [
        Change(
            from: "\"vernier-profile\"", to: "\"other\"",
            message: "p.json: format: expected \"vernier-profile\", found the string \"other\""),
        Change(
            from: "\"version\": 1", to: "\"version\": 2", message: "p.json: version: expected version 1, found 2",
            code: .unsupportedVersion),
        Change(
            from: "\"version\": 1", to: "\"version\": \"1\"",
            message: "p.json: version: expected a whole number of at least 1"),
        Change(
            from: "\"requires\": []", to: "\"requires\": [\"merging\", \"int8\"]",
            message: "found \"merging\", \"int8\"", code: .unsupportedVersion),
        Change(
            from: "\"requires\": []", to: "\"requires\": null",
            message: "p.json: requires: expected an array, found null"),
        Change(
            from: "\"storage\": \"float32\"", to: "\"storage\": \"int3\"",
            message: "p.json: storage: expected one of float32", code: .unsupportedVersion),
        Change(
            from: "\"attention-mass\"", to: "\"telepathy\"", message: "p.json: selection.name: expected one of",
            code: .unsupportedVersion),
        Change(
            from: "\"valueNorm\": false", to: "\"valueNorm\": 1",
            message: "p.json: selection: valueNorm: expected true or false, found 1"),
        Change(
            from: "\"valueNorm\": false", to: "\"window\": 1",
            message: "p.json: selection: unknown parameter \"window\""),
        Change(
            from: "\"floor\": 3", to: "\"floor\": [3]", message: "p.json: policy.parameters.floor: expected a scalar"),
        Change(
            from: "\"layers\": 3", to: "\"layers\": 1000000000",
            message: "p.json: model.layers: expected a whole number from 1 to 1024, found 1000000000"),
        Change(
            from: "\"layers\": 3", to: "\"layers\": 1024",
            message: "p.json: capacities[0][0]: expected an array of 1024, found an array of 3"),
        Change(
            from: "\"heads\": 2", to: "\"heads\": 1024",
            message: "p.json: capacities[0][3][1]: expected an array of 1024, found an array of 2"),
        Change(from: "\"heads\": 2", to: "\"heads\": 3", message: "expected an array of 3, found an array of 2"),
        Change(
            from: "\"branches\": 2", to: "\"branches\": 3",
            message: "p.json: expected lastScaleSlots 162 by the capacities, found 108"),
        Change(
            from: "\"headWidth\": 16", to: "\"headWidth\": -16",
            message: "p.json: model.headWidth: expected a whole number from 1 to 2048, found -16"),
        Change(
            from: "\"weightsDigest\": \"0", to: "\"weightsDigest\": \"G",
            message: "p.json: model: weights digest: expected 64 lower-case"),
        Change(
            from: "\"name\": \"tiny\"", to: "\"name\": \"\"",
            message: "p.json: model: expected a name of 1 to 200 bytes, found 0"),
        Change(
            from: "\"name\": \"tiny\"", to: "\"name\": \"tiny\", \"name\": \"tiny\"",
            message: "the key \"name\" appears twice"),
        Change(
            from: "\"name\": \"tiny\"", to: "\"name\": \"tiny\", \"extra\": 0",
            message: "p.json: model: expected only the members"),
        Change(from: "\"version\": 1", to: "\"version\": 1, \"extra\": 0", message: "found also \"extra\""),
        Change(
            from: "[5, 5, 5]", to: "[5, -5, 5]",
            message: "p.json: capacities[0][2][1]: expected a whole number from 0 to 5, found -5"),
        Change(
            from: "[5, 5, 5]", to: "[5, 6, 5]",
            message: "p.json: capacities[0][2][1]: expected a whole number from 0 to 5, found 6"),
        Change(
            from: "[5, 5, 5]", to: "[5, 5.0, 5]",
            message: "p.json: capacities[0][2][1]: expected a whole number from 0 to 5, found 5.0"),
        Change(
            from: "[5, 5, 5]", to: "[5, 5]",
            message: "p.json: capacities[0][2]: expected an array of 3, found an array of 2"),
        Change(
            from: "[5, 5, 5]", to: "[4, 5, 5]",
            message: "layer 0, head 0: expected a capacity of 0 to 13 tokens, found 14"),
        Change(from: "[9, 7]", to: "[9, 8]", message: "expected lastScaleSlots 110 by the capacities, found 108"),
        Change(
            from: "\"keptShare\": 0.6428571428571429", to: "\"keptShare\": 0.6428571428571428",
            message: "expected keptShare 0.6428571428571429 by the capacities"),
        Change(from: "\"keptShare\": 0.6428571428571429", to: "\"keptShare\": 1e999", message: "beyond the range"),
        Change(
            from: "\"residentBytes\": 13824", to: "\"residentBytes\": 13823",
            message: "expected residentBytes 13824 by the capacities, found 13823"),
        Change(from: "= 13824 bytes", to: "= 1 byte", message: "expected the formula"),
        Change(
            from: "\"tokensPerCell\": 9.0", to: "\"tokensPerCell\": 8.0",
            message: "expected at most 96 slots at the last scale by the budget asked for, found 108"),
        Change(
            from: "\"tokensPerCell\": 9.0", to: "\"keptShare\": 0.0",
            message: "p.json: budget.requested: expected a share above 0 %"),
        Change(
            from: "\"tokensPerCell\": 9.0", to: "\"bytes\": null",
            message: "p.json: budget.requested.bytes: expected a whole number, found null"),
        Change(
            from: "\"tokensPerCell\": 9.0", to: "", message: "p.json: budget.requested: expected one of the members"),
        Change(from: "\"drr\"", to: "\"dr\"", message: "p.json: roles[3]: expected 3 letters"),
        Change(from: "\"drr\"", to: "\"drx\"", message: "p.json: roles[3]: expected 3 letters"),
        Change(from: "\"drr\"", to: "7", message: "p.json: roles[3]: expected a string"),
        Change(from: ", \"drr\"", to: "", message: "p.json: roles: expected an array of 0 or 4 scales"),
        Change(
            from: "[3, 3]", to: "[3, 4097]",
            message: "p.json: schedule.grids[2][1]: expected a whole number from 1 to 4096, found 4097"),
        Change(
            from: "[3, 3]", to: "[3]", message: "p.json: schedule.grids[2]: expected an array of 2, found an array of 1"
        ),
        Change(from: "[64, 64]", to: "{}", message: "p.json: schedule.ropeGrid: expected an array of 2"),
        Change(
            from: "\"18446744073709551615\"", to: "\"18446744073709551616\"",
            message: "p.json: provenance.seed: expected a whole number from 0"),
        Change(
            from: "\"18446744073709551615\"", to: "18446744073709551615",
            message: "p.json: provenance.seed: expected a string"),
        Change(
            from: "\"promptCount\": 8", to: "\"promptCount\": -8",
            message: "p.json: provenance.promptCount: expected a whole number of at least 0"),
        Change(
            from: "\"toolVersion\": \"0.1.0\"", to: "\"toolVersion\": \"\"",
            message: "provenance: expected a tool version"),
    ]

    @Test(arguments: changes) func refusesChangedMembers(_ change: Change) throws {
        let text = ProfileTests.versionOne
        let range = try #require(text.firstRange(of: change.from))
        var changed = text
        changed.replaceSubrange(range, with: change.to)
        let error = try #require(throws: VernierError.self) { try Profile(parsing: changed, name: "p.json") }
        #expect(error.code == change.code)
        #expect(error.description.contains(change.message), "\(error)")
    }

    @Test func refusesEveryTruncation() throws {
        let text = ProfileTests.versionOne
        for count in 0..<text.utf8.count - 2 {
            #expect(throws: VernierError.self, "cut to \(count) bytes") {
                try Profile(parsing: String(decoding: text.utf8.prefix(count), as: UTF8.self), name: "cut")
            }
        }
    }

    @Test func survivesEveryChangedByte() throws {
        let bytes = Array(ProfileTests.versionOne.utf8)
        for position in bytes.indices {
            for byte in [0, UInt8(ascii: "7"), UInt8(ascii: "\""), UInt8(ascii: "]"), 0xFF] {
                var changed = bytes
                changed[position] = byte
                // Some changes are harmless, such as another name; what is accepted must be sound.
                guard let profile = try? Profile(parsing: String(decoding: changed, as: UTF8.self), name: "x") else {
                    continue
                }
                #expect(profile.checkInvariants().isEmpty)
                #expect(try Profile(parsing: profile.canonicalText(), name: "y") == profile)
            }
        }
    }

    @Test func everyMemberIsNeededAndOfOneType() throws {
        guard case .object(let root) = try JSONValue.parse(ProfileTests.versionOne, name: "x") else { return }
        for key in root.keys {
            var without = root
            without[key] = nil
            #expect(throws: VernierError.self, "without \(key)") {
                try Profile(parsing: JSONValue.object(without).canonicalText(), name: "x")
            }
            for other: JSONValue in [.null, true, -1, 1e300, "x", [], [:], [[0]], ["x": .null]] {
                // The only valid replacement: a profile may have no roles.
                if key == "roles" && other == [] || key == "requires" && other == [] { continue }
                var changed = root
                changed[key] = other
                #expect(throws: VernierError.self, "\(key) = \(other)") {
                    try Profile(parsing: JSONValue.object(changed).canonicalText(), name: "x")
                }
            }
        }
    }

    @Test func aSmallFileCannotClaimManyCells() throws {
        let text = ProfileTests.versionOne.replacing("\"heads\": 2", with: "\"heads\": 65")
            .replacing("\"layers\": 3", with: "\"layers\": 1000")
        let error = try #require(throws: VernierError.self) { try Profile(parsing: text, name: "p.json") }
        #expect(error.description.contains("capacities"))
        let wide = ProfileTests.versionOne.replacing("\"heads\": 2", with: "\"heads\": 1000")
            .replacing("\"layers\": 3", with: "\"layers\": 1000")
        #expect(throws: VernierError.self) { try Profile(parsing: wide, name: "p.json") }
    }
}
