import Testing
import VernierCore

@testable import ProfileFormat

@Suite struct EvidenceTests {
    private static func figure(_ metric: String, low: Double = 1, count: Int = 4) -> Evidence.Figure {
        Evidence.Figure(metric: metric, mean: 2, low: low, high: 3, promptCount: count)
    }

    private func evidence(
        _ digest: String? = nil, corpus: String = Examples.digest, prompts: Int = 4, seeds: [UInt64] = [3, .max],
        guidance: [Double] = [6], guidanceLayers: [Int] = [0], topP: Double = 0.97,
        arithmetic: Arithmetic = .float32,
        figures: [Evidence.Figure] = [figure("psnrDecibels"), figure("bitAgreement", count: 2)]
    ) throws -> Evidence {
        try Evidence(
            profileDigest: digest ?? Examples.profile().digest(), toolVersion: "0.1.0", corpusDigest: corpus,
            promptCount: prompts, seeds: seeds,
            sampling: EvidenceSampling(
                guidance: guidance, guidanceLayers: guidanceLayers, temperature: [0.3], topK: 900, topP: topP,
                arithmetic: arithmetic),
            figures: figures)
    }

    @Test func readsWhatItWrites() throws {
        let profile = try Examples.profile().attaching(evidence())
        #expect(profile.evidence?.figures.map(\.metric) == ["bitAgreement", "psnrDecibels"], "sorted")
        #expect(profile.evidence?.figure("psnrDecibels")?.promptCount == 4 && profile.evidence?.figure("x") == nil)
        let text = try profile.canonicalText()
        let again = try Profile(parsing: text, name: "p.json")
        #expect(again == profile)
        #expect(try again.canonicalText() == text)
        #expect(profile.checkInvariants().isEmpty)
    }

    /// Guidance on the logits, the rule, is not written: profiles keep their bytes.
    @Test func guidanceLayersAreWrittenOnlyIfTheyAreOthers() throws {
        let plain = try Examples.profile().attaching(evidence()).canonicalText()
        #expect(!plain.contains("guidanceLayers"))
        let inside = try Examples.profile().attaching(evidence(guidanceLayers: [0, -3]))
        let text = try inside.canonicalText()
        #expect(text.contains("guidanceLayers"))
        #expect(try Profile(parsing: text, name: "p.json").evidence?.sampling.guidanceLayers == [0, -3])
        for layers in [[], [1], [-2000]] {
            #expect(throws: VernierError.self) { try evidence(guidanceLayers: layers) }
        }
    }

    /// float32, the rule, is not written either.
    @Test func arithmeticIsWrittenOnlyIfItIsAnother() throws {
        let plain = try Examples.profile().attaching(evidence())
        #expect(try !plain.canonicalText().contains("arithmetic"))
        #expect(plain.evidence?.sampling.arithmetic == .float32)
        let narrow = try Examples.profile().attaching(evidence(arithmetic: .bfloat16))
        let text = try narrow.canonicalText()
        #expect(text.contains("\"arithmetic\": \"bfloat16\""))
        let read = try Profile(parsing: text, name: "p.json")
        #expect(read == narrow && read != plain && read.evidence?.sampling.arithmetic == .bfloat16)
        #expect(try read.canonicalText() == text)
        #expect(
            try text.replacing("\"arithmetic\": \"bfloat16\",", with: "").filter { !$0.isWhitespace }
                == plain.canonicalText().filter { !$0.isWhitespace }, "nothing else differs")
        for (value, found) in [
            ("\"bfloat17\"", "bfloat17"), ("\"\"", "\"\""), ("16", "16"), ("[\"float32\"]", "array"),
        ] {
            let changed = text.replacing("\"bfloat16\"", with: value)
            let error = try #require(throws: VernierError.self, "\(value)") {
                try Profile(parsing: changed, name: "p.json")
            }
            #expect(error.code == .malformedFile && error.place == "p.json: evidence.sampling.arithmetic", "\(error)")
            #expect(error.problems.contains { $0.contains(found) }, "\(error)")
        }
    }

    @Test func contentDigestLooksPastEvidence() throws {
        let plain = try Examples.profile()
        let profile = try plain.attaching(evidence())
        #expect(try profile.contentDigest() == plain.digest() && plain.contentDigest() == plain.digest())
        #expect(try profile.digest() != plain.digest())
        // New evidence replaces old.
        let newer = try profile.attaching(evidence(seeds: [9]))
        #expect(newer.evidence?.seeds == [9])
    }

    @Test func evidenceOfAnotherProfileIsRefused() throws {
        let error = try #require(throws: VernierError.self) {
            try Examples.profile().attaching(evidence(Examples.digest))
        }
        #expect(error.code == .mismatch && error.description.contains("expected evidence of this profile"), "\(error)")
        // A profile that was changed after it was measured.
        let text = try Examples.profile().attaching(evidence()).canonicalText()
        let changed = text.replacing("\"floor\": 3", with: "\"floor\": 4")
        let read = try #require(throws: VernierError.self) { try Profile(parsing: changed, name: "p.json") }
        #expect(read.code == .malformedFile && read.description.contains("expected evidence of this profile"))
    }

    /// The runtime asks whether a profile fits the model; evidence has no part in it.
    @Test func evidenceDoesNotDecideTheFit() throws {
        let profile = try Examples.profile().attaching(evidence())
        try profile.requireFit(model: Examples.model(), schedule: Examples.schedule([1, 2, 3, 4]), name: "p")
    }

    @Test func everythingOutOfRangeIsNamed() throws {
        let error = try #require(throws: VernierError.self) {
            try evidence(
                "x", corpus: "y", prompts: 0, seeds: [1, 1], guidance: [], topP: 2,
                figures: [
                    Self.figure("a", low: .nan), Self.figure("a", low: 4), Self.figure(""), Self.figure("b", count: 9),
                ])
        }
        #expect(error.code == .invalidArgument)
        for text in [
            "profile digest", "corpus digest", "at least 1 prompt, found 0", "different seeds", "for guidance", "top-p",
            "each metric once, found \"a\" twice", "an interval in order", "a metric of 1 to 200 bytes",
        ] { #expect(error.description.contains(text), "\(text) in \(error)") }
        #expect(throws: VernierError.self) { try evidence(figures: []) }
        #expect(throws: VernierError.self) { try evidence(seeds: []) }
        #expect(throws: VernierError.self) { try evidence(figures: [Self.figure("b", count: 5)]) }
    }

    @Test func strictReading() throws {
        let text = try Examples.profile().attaching(evidence()).canonicalText()
        for (from, to, message) in [
            ("\"bitAgreement\"", "\"zeta\"", "figures in the order of their metrics"),
            ("\"high\": 3.0", "\"high\": \"3\"", "figures[0].high: expected a number"),
            ("\"topP\": 0.97", "\"topP\": 0.97, \"extra\": 1", "evidence.sampling: expected only the members"),
            ("\"topK\": 900,", "", "expected a member \"topK\""),
            ("\"18446744073709551615\"]", "18446744073709551615]", "evidence.seeds[1]: expected a string"),
            ("\"18446744073709551615\"]", "\"-1\"]", "evidence.seeds[1]: expected a whole number from 0"),
            ("\"guidance\": [6.0]", "\"guidance\": [-6.0]", "for guidance"),
            ("\"low\": 1.0", "\"low\": 1e999", "beyond the range"),
        ] {
            let range = try #require(text.firstRange(of: from), "\(from) in \(text)")
            var changed = text
            changed.replaceSubrange(range, with: to)
            let error = try #require(throws: VernierError.self, "\(to)") {
                try Profile(parsing: changed, name: "p.json")
            }
            #expect(error.code == .malformedFile && error.description.contains(message), "\(to): \(error)")
        }
    }

    @Test func survivesEveryChangedByte() throws {
        let bytes = Array(try Examples.profile().attaching(evidence()).canonicalText().utf8)
        for position in bytes.indices {
            for byte in [0, UInt8(ascii: "7"), UInt8(ascii: "\"")] {
                var changed = bytes
                changed[position] = byte
                guard let profile = try? Profile(parsing: String(decoding: changed, as: UTF8.self), name: "x") else {
                    continue
                }
                #expect(profile.checkInvariants().isEmpty)
            }
        }
    }
}
