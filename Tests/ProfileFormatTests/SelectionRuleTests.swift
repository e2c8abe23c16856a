import Testing
import VernierCore

@testable import ProfileFormat

@Suite struct SelectionRuleTests {
    @Test func rulesHaveNamesAndCompleteParameters() throws {
        #expect(try SelectionRule(name: "attention-mass") == .attentionMass())
        #expect(try SelectionRule(name: "observation-window") == .observationWindow(side: 4))
        #expect(try SelectionRule(name: "sink-recent", parameters: ["sinkScales": 2]) == .sinkRecent(sinkScales: 2))
        #expect(try SelectionRule(name: "sliding-window") == .slidingWindow)
        #expect(try SelectionRule(name: "random", parameters: ["seed": 5]) == .random(seed: 5))
        #expect(SelectionRule.random(seed: 5).parameters.integer("seed") == 5)
        #expect(SelectionRule.attentionMass(valueNorm: true).description == "attention-mass (valueNorm true)")
        #expect(try SelectionRule(name: "oracle") == .oracle)
        #expect(try SelectionRule(name: "scale-blocks") == .scaleBlocks)
        #expect(
            try SelectionRule(name: "snapkv", parameters: ["window": 8]).description
                == "snapkv (pooling \"average\", reach 2, window 8)")
        #expect(try SelectionRule(name: "attention-matching", parameters: ["ridge": 1]).parameters.number("ridge") == 1)
        for name in SelectionRule.knownNames {
            let rule = try SelectionRule(name: name)
            #expect(try SelectionRule(reading: JSONCursor(rule.jsonValue, place: "x")) == rule)
        }
    }

    @Test func unknownNamesAndValuesAreRefused() {
        #expect(throws: VernierError.self) { try SelectionRule(name: "prophet") }
        #expect(throws: VernierError.self) { try SelectionRule(name: "random", parameters: ["seed": -1]) }
        #expect(throws: VernierError.self) { try SelectionRule(name: "sink-recent", parameters: ["sinkScales": 65]) }
        #expect(throws: VernierError.self) { try SelectionRule(name: "sliding-window", parameters: ["side": 4]) }
    }

    @Test func wrongParametersAreExplained() throws {
        for (name, parameters, problem): (String, Parameters, String) in [
            ("random", ["seed": 0.5], "seed: expected a whole number of at least 0, found 0.5"),
            ("snapkv", ["reach": 32], "reach: expected a whole number from 0 to 31, found 32"),
            (
                "snapkv", ["pooling": "median"],
                "pooling: expected one of none, average, max, found the string \"median\""
            ),
            ("cake", ["gamma": -1], "gamma: expected a number from 0.0 to 1000000000.0, found -1"),
            ("oracle", ["valueNorm": 1], "valueNorm: expected true or false, found 1"),
            ("h2o", ["window": 1], "unknown parameter \"window\"; known are: none"),
            (
                "hack", ["structuralHeads": "xyz"],
                "structuralHeads: expected hexadecimal digits, one group a layer, parted by dots, found the string "
                    + "\"xyz\""
            ),
        ] {
            let error = try #require(throws: VernierError.self) {
                try SelectionRule(name: name, parameters: parameters)
            }
            #expect(error.problems == [problem])
        }
    }

    @Test func parametersAreReadAsUsersWriteThem() throws {
        let parameters = try Parameters.parse(["b=2.5", "a=3", "c=true", "d=raw", "e=[1]", "f=x=y", "g="])
        #expect(
            parameters == ["a": 3, "b": 2.5, "c": true, "d": "raw", "e": "[1]", "f": "x=y", "g": ""])
        #expect(parameters.members.map(\.key) == ["a", "b", "c", "d", "e", "f", "g"])
        for wrong in [["a"], ["=1"], ["a=1", "a=2"]] {
            #expect(throws: VernierError.self) { try Parameters.parse(wrong) }
        }
    }

    @Test func sharedTablesServeEveryBranch() {
        var table = CellCapacities(branchCount: 1, scaleCount: 2, layerCount: 2, headCount: 2)
        table[1, 1, 0, 1] = 7
        #expect(table[0, 1, 0, 1] == 7)
        #expect(table.totalTokens(scale: 1, branch: 5) == 7)
        var split = CellCapacities(branchCount: 2, scaleCount: 2, layerCount: 2, headCount: 2, repeating: 3)
        split[1, 1, 0, 1] = 7
        #expect(split[0, 1, 0, 1] == 3)
        #expect(split.totalTokens(scale: 1, branch: 1) == 16)
        #expect(split.totalTokens(scale: 1, branch: 1, layer: 0) == 10)
    }
}
