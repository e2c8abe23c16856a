import ProfileFormat
import TestSupport
import Testing

@Suite struct HeadSetTests {
    @Test func textGoesThereAndBack() throws {
        let set = HeadSet([[true, false, false], [false, true, false, true, false, false, false, false]])
        #expect(set.text == "8.50")
        #expect(HeadSet(text: "8.50") == set)
        #expect(set.contains(layer: 0, head: 0) && set.contains(layer: 1, head: 3))
        #expect(!set.contains(layer: 0, head: 1) && !set.contains(layer: 1, head: 0))
        // Heads and layers it does not know are not in it.
        #expect(!set.contains(layer: 2, head: 0) && !set.contains(layer: 0, head: 99))
        #expect(!set.contains(layer: -1, head: 0))
        #expect(HeadSet([]).text == "" && HeadSet(text: "") == HeadSet([]))
        var random = SplitMix64(seed: 5)
        for heads in 1..<20 {
            let members = (0..<5).map { _ in (0..<heads).map { _ in random.integer(in: 0..<2) == 1 } }
            let again = try #require(HeadSet(text: HeadSet(members).text))
            for layer in 0..<5 {
                for head in 0..<heads { #expect(again.contains(layer: layer, head: head) == members[layer][head]) }
            }
        }
    }

    @Test(arguments: [".", "8.", "g", "8..8", "8,8", "F", " 8", "8\n", "٣", String(repeating: "0", count: 400)])
    func otherTextsAreNone(_ text: String) {
        #expect(HeadSet(text: text) == nil)
    }
}
