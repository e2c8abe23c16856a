import TestSupport
import Testing
import VernierCore

@testable import ProfileFormat

@Suite struct ProfileTests {
    @Test func readsWhatItWrites() throws {
        let profile = try Examples.profile()
        let text = try profile.canonicalText()
        let again = try Profile(parsing: text, name: "tiny.json")
        #expect(again == profile)
        #expect(try again.canonicalText() == text)
        #expect(profile.checkInvariants().isEmpty)
        let folder = TemporaryDirectory()
        try profile.write(to: folder.file("tiny.json"))
        #expect(try Profile(contentsOf: folder.file("tiny.json")) == profile)
        #expect(try Profile(contentsOf: folder.file("tiny.json")).digest() == profile.digest())
    }

    /// Version 1 as it was first published: this text must stay readable, and equal profiles must keep these bytes.
    @Test func versionOneKeepsItsBytes() throws {
        let text = Self.versionOne
        #expect(try Profile(parsing: text, name: "v1.json").canonicalText() == text)
        #expect(try Examples.profile().canonicalText() == text)
    }

    static let versionOne = """
        {
          "budget": {
            "realised": {
              "fullHistoryTokens": 14,
              "keptShare": 0.6428571428571429,
              "lastScaleSlots": 108,
              "meanTokensPerCell": 9.0,
              "residentBytes": 13824
            },
            "requested": {
              "tokensPerCell": 9.0
            }
          },
          "capacities": [
            [
              [0, 0, 0],
              [1, 1, 1],
              [5, 5, 5],
              [
                14,
                [9, 7],
                5
              ]
            ]
          ],
          "format": "vernier-profile",
          "model": {
            "branches": 2,
            "family": "infinity",
            "headWidth": 16,
            "heads": 2,
            "layers": 3,
            "name": "tiny",
            "shapeDigest": "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
            "weightsDigest": "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
          },
          "policy": {
            "name": "scalekv",
            "parameters": {
              "floor": 3,
              "index": "raw"
            }
          },
          "provenance": {
            "corpusDigest": "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
            "promptCount": 8,
            "seed": "18446744073709551615",
            "statisticsDigest": "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
            "toolVersion": "0.1.0"
          },
          "requires": [],
          "residentFormula": "max over steps (scale k, layer l) of [sum of capacities at k + 1 over layers <= l + \
        sum of capacities at k over layers > l], 2 branches, all heads, the last scale not stored: 108 slots at \
        scale 2, layer 1; x 128 bytes per slot (key and value, float32, 16 channels) = 13824 bytes",
          "roles": ["---", "---", "---", "drr"],
          "schedule": {
            "grids": [
              [1, 1],
              [2, 2],
              [3, 3],
              [4, 4]
            ],
            "ropeGrid": [64, 64]
          },
          "selection": {
            "name": "attention-mass",
            "parameters": {
              "valueNorm": false
            }
          },
          "storage": "float32",
          "version": 1
        }

        """

    @Test func realisesItsBudget() throws {
        let profile = try Examples.profile()
        #expect(profile.realisedBudget.lastScaleSlots == 2 * 54)
        #expect(profile.realisedBudget.fullHistoryTokens == 14)
        #expect(profile.realisedBudget.meanTokensPerCell == 9)
        #expect(profile.residentBytes == 108 * 128)
        #expect(profile.residentBytes == profile.residentPlan.residentBytes())
    }

    struct Breakage: Sendable, CustomTestStringConvertible {
        let cell: (scale: Int, layer: Int, head: Int)
        let tokens: Int
        let message: String
        var testDescription: String { message }
    }

    static let breakages: [Breakage] = [
        Breakage(
            cell: (0, 0, 0), tokens: 1,
            message: "scale 0, layer 0, head 0: expected a capacity of 0 to 0 tokens, found 1"),
        Breakage(
            cell: (3, 1, 1), tokens: 15,
            message: "scale 3, layer 1, head 1: expected a capacity of 0 to 14 tokens, found 15"),
        Breakage(
            cell: (3, 1, 1), tokens: -1,
            message: "scale 3, layer 1, head 1: expected a capacity of 0 to 14 tokens, found -1"),
        Breakage(
            cell: (2, 0, 0), tokens: 4,
            message: "scale 3, layer 0, head 0: expected a capacity of 0 to 13 tokens, found 14"),
        Breakage(
            cell: (2, 0, 0), tokens: .min,
            message: "scale 2, layer 0, head 0: expected a capacity of 0 to 5 tokens, found \(Int.min)"),
    ]

    @Test(arguments: breakages) func invariantsHoldForCapacities(_ breakage: Breakage) throws {
        var table = Examples.capacities()
        table[0, breakage.cell.scale, breakage.cell.layer, breakage.cell.head] = breakage.tokens
        let error = try #require(throws: VernierError.self) { try Examples.profile(capacities: table) }
        #expect(error.problems.contains("branch 0, \(breakage.message)"), "\(error)")
    }

    @Test func invariantsHoldForBudgets() throws {
        #expect(throws: VernierError.self) { try Examples.profile(budget: .tokensPerCell(8.9)) }
        #expect(throws: VernierError.self) { try Examples.profile(budget: .keptShare(0.64)) }
        _ = try Examples.profile(budget: .keptShare(9.0 / 14))
        #expect(throws: VernierError.self) { try Examples.profile(budget: .bytes(13_823)) }
        _ = try Examples.profile(budget: .bytes(13_824))
        #expect(throws: VernierError.self) { try Examples.profile(budget: .keptShare(.nan)) }
    }

    @Test func tablesOfTheWrongShapeAreRefused() throws {
        let schedule = try Examples.schedule([1, 2, 3])
        let error = try #require(throws: VernierError.self) {
            try Examples.profile(capacities: .full(schedule: schedule, layers: 5, heads: 7))
        }
        #expect(
            error.problems == [
                "expected capacities for 4 scales, found 3", "expected capacities for 3 layers, found 5",
                "expected capacities for 2 heads, found 7",
            ])
    }

    @Test func misfitsAreReportedTogether() throws {
        let profile = try Examples.profile()
        #expect(profile.mismatches(model: profile.model, schedule: profile.schedule).isEmpty)
        try profile.requireFit(model: profile.model, schedule: profile.schedule)
        let model = try Examples.model(name: "big", layers: 40, headWidth: 32)
        let error = try #require(throws: VernierError.self) {
            try profile.requireFit(model: model, schedule: Examples.schedule([1, 2]), name: "tiny.json")
        }
        #expect(error.code == .mismatch)
        #expect(
            error.description
                == "tiny.json: the profile of \"tiny\" does not fit the model \"big\"; expected 3 layers, "
                + "found 40; expected 16 channels per head, found 32; expected scales 1x1 2x2 3x3 4x4, found 1x1 2x2. "
                + "Compile a profile from statistics of this model and schedule, or load the model it was made for.")
    }

    @Test func explainsItself() throws {
        #expect(
            try Examples.profile().explain().hasSuffix(
                """

                scale  grid  history  mean  least  largest  drafters
                    0   1x1        0  0.00      0        0  -
                    1   2x2        1  1.00      1        1  -
                    2   3x3        5  5.00      5        5  -
                    3   4x4       14  9.00      5       14  0

                """))
    }
}
