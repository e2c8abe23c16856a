import Testing
import VernierCore

/// SHA-256 against the examples of its standard (FIPS 180-4), however the bytes are handed in.
@Suite struct DigestTests {
    private static let examples = [
        ("", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
        ("abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
        (
            "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
            "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"
        ),
        (
            String(repeating: "a", count: 1_000_000),
            "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0"
        ),
    ]

    @Test(arguments: examples.indices) func standardExamples(index: Int) {
        let (text, expected) = Self.examples[index], bytes = Array(text.utf8)
        #expect(Digest.of(bytes) == expected)
        for each in [1, 7, 64, 65] where bytes.count < 1000 || each > 1 {
            var digest = Digest()
            bytes.withUnsafeBytes { bytes in
                for start in stride(from: 0, to: bytes.count, by: each) {
                    digest.update(UnsafeRawBufferPointer(rebasing: bytes[start..<min(start + each, bytes.count)]))
                }
            }
            #expect(digest.finalise() == expected, "in pieces of \(each)")
        }
    }

    @Test func fieldsEndWithAZero() {
        var fields = Digest()
        fields.update(field: "ab")
        fields.update(field: "")
        #expect(fields.finalise() == Digest.of([97, 98, 0, 0]))
    }
}
