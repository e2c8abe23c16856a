import KVCacheRuntime
import ModelFamilies
import ProfileFormat
import TestSupport
import Testing
import VernierCore

/// Guidance inside the stack, on the logits and both (`models.md` section 3.6), at the first scale of the golden models,
/// where no history plays a part: what the official rule says must follow from plain runs.
@Suite struct GuidanceTests {
    static let names = ["inf-a", "inf-b", "var-b"]

    private struct Look {
        var hidden: [[Float]] = []
        var logits: [[Float]] = []
    }

    private func look(
        _ golden: GoldenCase, placement: [Int], guidance: Float, conditions: [ImageCondition]? = nil
    ) throws -> Look {
        var look = Look()
        var settings = golden.settings
        settings.guidance = [guidance]
        settings.temperature = [1]
        settings.placement = try GuidancePlacement(layers: placement)
        var hooks = GenerationHooks()
        hooks.forcedChoices = golden.choices
        hooks.hiddenOut = { look.hidden.append($1) }
        hooks.logits = { look.logits.append(Array($1)) }
        _ = try NextScaleGenerator(model: golden.model, cache: golden.makeCache()).generate(
            conditions: conditions ?? golden.conditions, seeds: golden.seeds, settings: settings, hooks: hooks)
        return look
    }

    @Test(arguments: ["inf-a", "inf-b"]) func behindTheLastBlockBothBranchesAreTheGuidedMixture(_ name: String) throws {
        let golden = try GoldenCase(name), g: Float = 2.5
        let plain = try look(golden, placement: [0], guidance: g).hidden[0]
        let mixed = try look(golden, placement: [-1], guidance: g).hidden[0]
        let half = plain.count / 2
        let expected = (0..<half).map { g * plain[$0] + (1 - g) * plain[half + $0] }
        expectSame(Array(mixed[..<half]), expected, what: "conditional half")
        expectSame(Array(mixed[half...]), expected, what: "unconditional half")
    }

    /// Without the logits the conditional head speaks alone; with them both heads do, on the same hidden state.
    @Test(arguments: ["inf-a", "inf-b"]) func logitsAreGuidedOnlyWhereAsked(_ name: String) throws {
        let golden = try GoldenCase(name), g: Float = 2.5, images = golden.images
        let swapped = Array(golden.conditions[images...] + golden.conditions[..<images])
        let conditional = try look(golden, placement: [-1], guidance: g).logits[0]
        // The other way round, 1 - g of what was the unconditional branch: the same mixture under the other head.
        let unconditional = try look(golden, placement: [-1], guidance: 1 - g, conditions: swapped).logits[0]
        let both = try look(golden, placement: [-1, 0], guidance: g).logits[0]
        let expected = zip(conditional, unconditional).map { g * $0 + (1 - g) * $1 }
        expectClose(both, expected, tolerance: 5e-4, what: "guided logits")
        #expect(conditional != unconditional)
    }

    @Test(arguments: ["inf-a", "inf-b"]) func guidanceInsideChangesWhatFollowsAndNothingBefore(_ name: String) throws {
        let golden = try GoldenCase(name), depth = golden.stack.depth
        let plain = try look(golden, placement: [0], guidance: 3)
        let looks = try (1...depth).map { try look(golden, placement: [-$0], guidance: 3).logits }
        for (place, logits) in looks.enumerated() {
            #expect(logits[0] != plain.logits[0], "behind block \(depth - 1 - place)")
            for other in looks[..<place] { #expect(logits[0] != other[0]) }
        }
    }

    /// If both branches are told the same, mixing them changes nothing but the last digits.
    @Test(arguments: names) func equalBranchesMakePlacementIrrelevant(_ name: String) throws {
        let golden = try GoldenCase(name), depth = golden.stack.depth
        let conditions = Array(golden.conditions[..<golden.images]) + golden.conditions[..<golden.images]
        let plain = try look(golden, placement: [0], guidance: 1.5, conditions: conditions)
        for placement in [[-1], [-depth], [0, -1, -depth]] {
            let other = try look(golden, placement: placement, guidance: 1.5, conditions: conditions)
            for scale in plain.logits.indices {
                expectClose(
                    other.logits[scale], plain.logits[scale], tolerance: 5e-4, what: "\(placement), scale \(scale)")
            }
        }
    }

    @Test(arguments: names) func withoutGuidancePlacementDoesNotMatter(_ name: String) throws {
        let golden = try GoldenCase(name), none: Float = name.hasPrefix("var") ? 0 : 1
        let plain = try look(golden, placement: [0], guidance: none).logits
        for placement in [[-1], [-golden.stack.depth, 0]] {
            #expect(try look(golden, placement: placement, guidance: none).logits == plain)
        }
    }

    @Test func placementsThatMakeNoSenseAreRefused() throws {
        for layers in [[], [0, 0], [1], [-1, 2]] {
            #expect(throws: VernierError.self) { try GuidancePlacement(layers: layers) }
        }
        let golden = try GoldenCase("var-b")
        let error = #expect(throws: VernierError.self) { try look(golden, placement: [0, -3], guidance: 2) }
        #expect(error?.description.contains("expected -2 to 0, for 2 blocks, found -3") == true)
    }

    @Test func moreNumbersThanScalesAreRefused() throws {
        var settings = try GoldenCase("var-b").settings
        settings.guidance = [1, 2, 3, 4, 5, 6]
        let error = #expect(throws: VernierError.self) { try settings.requireFit(scaleCount: 5, depth: 2) }
        #expect(error?.description.contains("at most 5 numbers, one a scale") == true)
    }
}
