import Testing
import VernierCore

@testable import ProfileFormat

@Suite struct ModelIdentityTests {
    @Test func saysAllThatDiffers() throws {
        let other = String(repeating: "f", count: 64)
        let expected = try Examples.model()
        let found = try Examples.model(
            family: "var", name: "another", branches: 1, layers: 40, heads: 24, headWidth: 128, shapeDigest: other,
            weightsDigest: other)
        #expect(
            found.differences(from: expected) == [
                "expected family \"infinity\", found \"var\"", "expected 2 branches, found 1",
                "expected 3 layers, found 40", "expected 2 heads, found 24", "expected 16 channels per head, found 128",
                "expected shape digest 0123456789ab..., found ffffffffffff...",
                "expected weights digest 0123456789ab..., found ffffffffffff...",
            ])
        #expect(try Examples.model(name: "another").differences(from: expected).isEmpty)
    }

    @Test func refusesWhatIsOutOfRange() throws {
        let error = try #require(throws: VernierError.self) {
            try Examples.model(
                family: "", name: String(repeating: "n", count: 201), branches: 0, layers: 0, heads: 1025,
                headWidth: 2049, shapeDigest: "ABC", weightsDigest: Examples.digest.uppercased())
        }
        #expect(error.problems.count == 8)
        #expect(error.problems.contains("expected 1 to 1024 heads, found 1025"))
        #expect(throws: VernierError.self) { try Examples.model(layers: 1024, heads: 1024) }
    }

    @Test func readsWhatItWrites() throws {
        let model = try Examples.model(name: "näme \"x\"\n")
        let value = try JSONValue.parse(model.jsonValue.canonicalText(), name: "x")
        #expect(try ModelIdentity(reading: JSONCursor(value, place: "x")) == model)
    }
}
