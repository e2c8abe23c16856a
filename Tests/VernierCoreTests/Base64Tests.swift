import Foundation
import Testing

@testable import VernierCore

struct Base64Tests {
    /// RFC 4648, section 10.
    @Test(arguments: [
        ("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg=="), ("fooba", "Zm9vYmE="),
        ("foobar", "Zm9vYmFy"),
    ])
    func agreesWithTheStandard(bytes: String, text: String) {
        #expect(Base64.encode(Array(bytes.utf8)) == text)
        #expect(Base64.decode(text) == Array(bytes.utf8))
    }

    @Test func everyByteSurvives() {
        let bytes = (0..<768).map { UInt8(truncatingIfNeeded: $0 * 7) }
        for count in [255, 256, 257, 768] {
            #expect(Base64.decode(Base64.encode(Array(bytes.prefix(count)))) == Array(bytes.prefix(count)))
        }
    }

    @Test(arguments: ["Z", "Zg", "Zg=", "Zh==", "Zm9=", "=Zg=", "Zg==Zg==", "Zm 9", "Zm9v\n", "Zm-_", "====", "é==="])
    func refuses(text: String) { #expect(Base64.decode(text) == nil) }

    /// Whatever the length and the place: several groups are read at a time.
    @Test func refusesAnyLetterThatIsNone() {
        for count in 1...30 {
            let text = Base64.encode((0..<count).map { UInt8(truncatingIfNeeded: $0 * 37) })
            for place in text.utf8.indices {
                for letter in ["!", "\u{7F}", "_", " "] where text[place] != "=" {
                    #expect(Base64.decode(text.replacingCharacters(in: place...place, with: letter)) == nil)
                }
            }
        }
    }
}
