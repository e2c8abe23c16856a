import Synchronization
import TestSupport
import Testing

#if canImport(Glibc)
import Glibc
#elseif canImport(Darwin)
import Darwin
#endif

/// The helpers must be able to fail, and must say where.
@Suite("Test support")
struct TestSupportTests {
    /// Runs `body`, which must record issues, and returns their texts.
    private func issues(_ body: () throws -> Void) rethrows -> [String] {
        let texts = Mutex<[String]>([])
        try withKnownIssue {
            try body()
        } matching: { issue in
            texts.withLock { $0.append("\(issue)") }
            return true
        }
        return texts.withLock { $0 }
    }

    @Test("A comparison names the first excess, the largest error and the count")
    func closeness() throws {
        let text = try #require(
            issues { expectClose([1, 2.5, 3, 7], [1, 2, 3.01, 4], tolerance: 0.1, what: "logits") }.first)
        for part in [
            "logits: 2 of 4 values differ by more than 0.1", "first at [1]: 2.5, expected 2.0",
            "largest error 3.0 at [3]",
        ] {
            #expect(text.contains(part), "\(text)")
        }
        #expect(issues { expectClose([.nan], [1], tolerance: 9, what: "x") }.count == 1)
        #expect(issues { expectClose([1], [.nan], tolerance: 9, what: "x") }.count == 1)
        #expect(issues { expectClose([.infinity], [1], tolerance: 9, what: "x") }.count == 1)
        #expect(issues { expectClose([1], [1, 2], tolerance: 9, what: "x") }.count == 1)
        #expect(
            issues { expectSame([1, 2, 3], [1, 2, 4], what: "ids") }.first?.contains("first difference at [2]") == true)
        #expect(issues { expectSame([1], [1, 2], what: "ids") }.first?.contains("first difference at [1]") == true)
        #expect(expectClose([.infinity, 0], [.infinity, -0.0], tolerance: 0, what: "equal"))
        #expect(expectSame([Int](), [], what: "empty"))
    }

    @Test("withEvery runs all values and lets issues and errors through")
    func everyValue() throws {
        var seen: [Int] = []
        let texts = try issues {
            try withEvery("outer", in: 0..<2) { outer in
                try withEvery("inner", in: 0..<3) { inner in
                    seen.append(10 * outer + inner)
                    #expect(inner != 1)
                }
            }
        }
        #expect(seen == [0, 1, 2, 10, 11, 12] && texts.count == 2)
        struct Stop: Error {}
        #expect(throws: Stop.self) { try withEvery("value", in: 0..<2) { _ in throw Stop() } }
    }

    @Test("The generator gives the published sequence; folders go away")
    func generatorAndFolders() throws {
        var random = SplitMix64(seed: 1_234_567)
        #expect(random.next() == 6_457_827_717_110_365_317 && random.next() == 3_203_168_211_198_807_973)
        let path = {
            let folder = TemporaryDirectory()
            folder.folder("a")
            #expect(TemporaryDirectory().path != folder.path)
            return folder.path
        }()
        #expect(access(path, F_OK) == -1, "the folder is gone with its object")
    }
}
