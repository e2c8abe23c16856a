import TestSupport
import Testing
import VernierCore

@testable import ProfileFormat

/// Profiles without weights and without statistics, as imports make them.
@Suite struct ImportedProfileTests {
    private static let source = ImportedSource(
        format: "scalekv-json", fileName: "2b.json", fileDigest: Examples.digest, origin: "somebody/something at 1")

    private static func profile(
        model: ModelIdentity, provenance: Provenance = Provenance(toolVersion: "0.1.0", source: source)
    ) throws -> Profile {
        let example = try Examples.profile()
        return try Profile(
            model: model, schedule: example.schedule, policy: example.policy, selection: example.selection,
            storage: example.storage, requestedBudget: example.requestedBudget, capacities: example.capacities,
            roles: example.roles, provenance: provenance)
    }

    @Test func saysThatWeightsAndStatisticsAreUnknownAndReadsItBack() throws {
        let profile = try Self.profile(model: Examples.model(weightsDigest: nil))
        #expect(profile.requires == ["architecture-only-identity", "imported-provenance"])
        let text = try profile.canonicalText()
        #expect(text.contains("\"weightsDigest\": null"))
        #expect(
            text.contains(
                """
                  "provenance": {
                    "source": {
                      "fileDigest": "\(Examples.digest)",
                      "fileName": "2b.json",
                      "format": "scalekv-json",
                      "origin": "somebody/something at 1"
                    },
                    "toolVersion": "0.1.0"
                  },
                """))
        let again = try Profile(parsing: text, name: "p.json")
        #expect(again == profile && again.provenance.source == Self.source)
        #expect(again.provenance.statisticsDigest == nil && again.provenance.seed == nil)
        #expect(try again.canonicalText() == text)
    }

    @Test func eachPartHasItsRequirement() throws {
        #expect(try Self.profile(model: Examples.model()).requires == ["imported-provenance"])
        #expect(
            try Self.profile(model: Examples.model(weightsDigest: nil), provenance: Examples.provenance()).requires
                == ["architecture-only-identity"])
        #expect(try Examples.profile().requires == [])
    }

    @Test func fitsEveryModelOfItsArchitectureAndSaysWhatWasCompared() throws {
        let profile = try Self.profile(model: Examples.model(weightsDigest: nil))
        let schedule = profile.schedule
        for digest in [String(repeating: "a", count: 64), Examples.digest, nil] {
            try profile.requireFit(model: Examples.model(name: "any", weightsDigest: digest), schedule: schedule)
        }
        #expect(
            profile.fitCaveat(name: "p.json")
                == "p.json names no weights: only the architecture and the schedule were compared, not the weights")
        for model in [
            try Examples.model(layers: 4), try Examples.model(shapeDigest: String(repeating: "b", count: 64)),
        ] {
            let error = try #require(throws: VernierError.self) {
                try profile.requireFit(model: model, schedule: schedule)
            }
            #expect(error.code == .mismatch)
        }
        // The other way round: a profile of known weights does not fit weights that nobody named.
        let strict = try Examples.profile()
        #expect(strict.fitCaveat() == nil)
        #expect(
            try strict.mismatches(model: Examples.model(weightsDigest: nil), schedule: schedule)
                == ["expected weights digest 0123456789ab..., found none"])
    }

    struct Change: Sendable, CustomTestStringConvertible {
        let old: String
        let new: String
        let message: String
        var testDescription: String { "\(old) -> \(new)" }

        init(_ old: String, _ new: String, _ message: String) {
            self.old = old
            self.new = new
            self.message = message
        }
    }

    static let changes = [
        Change("\"architecture-only-identity\", ", "", "the requirement \"architecture-only-identity\" exactly if"),
        Change(", \"imported-provenance\"", "", "the requirement \"imported-provenance\" exactly if"),
        Change(
            "\"weightsDigest\": null", "\"weightsDigest\": \"\(Examples.digest)\"",
            "the requirement \"architecture-only-identity\" exactly if the model's weights are unknown"),
        Change("    \"weightsDigest\": null\n", "    \"other\": null\n", "only the members"),
        Change("\"weightsDigest\": null", "\"weightsDigest\": \"\"", "weights digest: expected 64"),
        Change("\"weightsDigest\": null", "\"weightsDigest\": false", "model.weightsDigest: expected a string"),
        Change("\"fileName\": \"2b.json\"", "\"fileName\": \"\"", "a source's file name of 1 to 200 bytes"),
        Change("\"format\": \"scalekv-json\"", "\"format\": 1", "provenance.source.format: expected a string"),
        Change("\"origin\": ", "\"seed\": ", "only the members"),
        Change(
            "somebody/something at 1", String(repeating: "o", count: 1001), "an origin of at most 1000 bytes"),
        Change("\"fileDigest\": \"0", "\"fileDigest\": \"x", "provenance: file digest: expected 64"),
        Change("\"toolVersion\": \"0.1.0\"", "\"promptCount\": 1", "expected a member \"toolVersion\""),
        Change("    \"toolVersion\": \"0.1.0\"", "    \"seed\": \"1\", \"toolVersion\": \"1\"", "only the members"),
        Change("\"requires\": [", "\"requires\": [\"later\", ", "only features that this version knows"),
    ]

    @Test(arguments: changes) func editedFilesAreRefused(_ change: Change) throws {
        let text = try Self.profile(model: Examples.model(weightsDigest: nil)).canonicalText()
        let edited = text.replacing(change.old, with: change.new)
        #expect(edited != text)
        let error = try #require(throws: VernierError.self) { try Profile(parsing: edited, name: "p.json") }
        #expect(error.description.contains(change.message), "\(error)")
    }
}
