import TestSupport
import Testing
import VernierCore

@testable import Checkpoints

/// A change to a valid archive, and a part of the message that it must cause.
struct HostileZip: Sendable, CustomTestStringConvertible {
    let what: String
    let code: VernierError.Code
    let message: String
    let change: @Sendable (inout ZipText) -> Void
    var testDescription: String { what }

    init(
        _ what: String, _ message: String, code: VernierError.Code = .malformedFile,
        _ change: @escaping @Sendable (inout ZipText) -> Void
    ) {
        self.what = what
        self.code = code
        self.message = message
        self.change = change
    }
}

// Entries of the archive: 0 the pickle, 1 the storage, 2 the version.
private let hostileZips: [HostileZip] = [
    HostileZip("no entries", "one entry data.pkl, found 0") { $0.entries = [] },
    HostileZip("no pickle", "one entry data.pkl, found 0") { $0.entries[0].name = "archive/data.pk" },
    HostileZip("a name that only ends so", "one entry data.pkl, found 0") { $0.entries[0].name = "archive/xdata.pkl" },
    HostileZip("two pickles", "one entry data.pkl, found 2") {
        $0.entries.append(ZipText.Entry(name: "other/data.pkl", content: []))
    },
    HostileZip("a name twice", "found \"archive/data/0\" twice") {
        $0.entries.append(ZipText.Entry(name: "archive/data/0", content: [1]))
    },
    HostileZip(
        "a compressed storage", "entry \"archive/data/0\": expected a stored entry, found a compressed one (method 8)"
    ) {
        $0.entries[1].method = 8
        $0.entries[1].count = 1_000_000_000
        $0.entries[1].storedCount = 16
    },
    HostileZip("a zip bomb that says it is stored", "found 16 bytes for 1000000000") {
        $0.entries[1].count = 1_000_000_000
        $0.entries[1].storedCount = 16
    },
    HostileZip("a compressed entry that nobody needs", "method 12") {
        $0.entries.append(ZipText.Entry(name: "bomb", content: [], method: 12))
    },
    HostileZip("compression in the entry's own header only", "that agrees with the directory") {
        $0.entries[1].ownMethod = 8
    },
    HostileZip("an encrypted entry", "found an encrypted or patched one") { $0.entries[1].flags = 1 },
    HostileZip("another name in the entry's own header", "that agrees with the directory") {
        $0.entries[1].ownName = "archive/data/1"
    },
    HostileZip("another size in the entry's own header", "that agrees with the directory") {
        $0.entries[1].ownCount = 15
    },
    HostileZip("an extra field that runs into the next entry", "expected 16 bytes between byte") {
        $0.entries[1].ownExtraByteCount = 65_535
    },
    HostileZip("an extra field that runs a little too far", "found room for 15") {
        $0.entries[1].ownExtraByteCount = 1
    },
    HostileZip("a size beyond the next entry", "entries overlap or the file is cut short") { $0.entries[1].count = 17 },
    HostileZip("a size beyond the file", "entries overlap") { $0.entries[2].count = 1 << 31 },
    HostileZip("an entry inside another", "entries overlap") { $0.entries[2].offset = 40 },
    HostileZip("two entries at one place", "entries overlap") { $0.entries[2].offset = 0 },
    HostileZip("an entry in the directory", "entries before the directory") { $0.entries[2].offset = 100_000 },
    HostileZip("an entry where none is", "expected an entry at byte 0, found none there") {
        $0.entries[0].ownSignature = 0x0403_4B51
    },
    HostileZip("an entry on another disk", "expected a size and an offset below 2^63 bytes") { $0.entries[1].disk = 1 },
    HostileZip("a directory entry without its signature", "expected an entry at byte") { $0.entries[1].signature = 0 },
    HostileZip("an extra field cut short", "expected whole extra fields") { $0.entries[1].extra = [1, 0, 9] },
    HostileZip("an extra field longer than its room", "expected whole extra fields") {
        $0.entries[1].extra = [0x46, 0x42, 9, 0, 1]
    },
    HostileZip("zip64 without its field", "a zip64 field with all numbers beyond 32 bits, found 0 bytes") {
        $0.entries[1].count = .max
    },
    HostileZip("a zip64 field with one number of two", "found 8 bytes") {
        $0.entries[1].count = .max
        $0.entries[1].storedCount = .max
        $0.entries[1].extra = ZipText.wide([16])
    },
    HostileZip("two zip64 fields", "expected one zip64 field, found two") {
        $0.entries[1].extra = ZipText.wide([16]) + ZipText.wide([16])
    },
    HostileZip("a zip64 size beyond 2^63", "found 18446744073709551615 bytes") {
        $0.entries[1].count = .max
        $0.entries[1].storedCount = .max
        $0.entries[1].extra = ZipText.wide([.max, .max])
    },
    HostileZip("a zip64 size beyond the file", "entries overlap") {
        $0.entries[1].count = .max
        $0.entries[1].storedCount = .max
        $0.entries[1].extra = ZipText.wide([1 << 40, 1 << 40])
    },
    HostileZip("a zip64 size near 2^63", "entries overlap") {
        $0.entries[2].count = .max
        $0.entries[2].storedCount = .max
        $0.entries[2].extra = ZipText.wide([1 << 63 - 1, 1 << 63 - 1])
    },
    HostileZip("a zip64 offset near 2^63", "entries before the directory") {
        $0.entries[1].offset = .max
        $0.entries[1].extra = ZipText.wide([1 << 63 - 1])
    },
    HostileZip("more entries than the directory has", "expected a directory with room for its 4000 entries") {
        $0.end = { $0.entries = 4000 }
    },
    HostileZip("one entry too many", "expected an entry at byte") {
        $0.entries[2].comment = [UInt8](repeating: 0, count: 60)
        $0.end = { $0.entries = 4 }
    },
    HostileZip("one entry too few", "expected 2 entries in") { $0.end = { $0.entries = 2 } },
    HostileZip("2^64 - 1 entries", "room for its 18446744073709551615 entries") {
        $0.end = { $0.entries = 0xFFFF }
        $0.end64 = { $0.entries = .max }
    },
    HostileZip("a directory offset too low", "expected a directory that ends at byte") { $0.end = { $0.offset -= 1 } },
    HostileZip("a directory offset beyond the file", "expected a directory that ends at byte") {
        $0.end = { $0.offset = 1 << 31 }
    },
    HostileZip("a directory size too small", "expected a directory that ends at byte") {
        $0.end = { $0.byteCount -= 46 }
    },
    HostileZip("a directory from byte 0", "expected an entry at byte 0 of the directory") {
        $0.end = {
            $0.byteCount += $0.offset
            $0.offset = 0
        }
    },
    HostileZip("saturated numbers without zip64", "expected a directory that ends at byte") {
        $0.end = { $0.offset = .max }
    },
    HostileZip("several disks", "a part of one on several disks") { $0.disks = 1 },
    HostileZip("end records that disagree on entries", "found 2 entries, and 3 in the zip64 record") {
        $0.end64 = { _ in }
        $0.end = { $0.entries = 2 }
    },
    HostileZip("end records that disagree on the offset", "as the directory's offset, and") {
        $0.end64 = { $0.offset += 1 }
    },
    HostileZip("end records that disagree on the size", "bytes of directory, and 1 in the zip64 record") {
        $0.end64 = { $0.byteCount = 1 }
    },
    HostileZip("a zip64 directory that wraps around", "expected a directory that ends at byte") {
        $0.end64 = {
            $0.offset = .max - 1
            $0.byteCount += 2
        }
        $0.end = {
            $0.offset = .max
            $0.byteCount = .max
        }
    },
    HostileZip("a locator that points elsewhere", "found none at byte 12, where the locator points") {
        $0.end64 = { _ in }
        $0.locatorOffset = 12
    },
    HostileZip("a locator that points beyond the file", "where the locator points") {
        $0.end64 = { _ in }
        $0.locatorOffset = .max
    },
    HostileZip("a zip64 record of another size", "where the locator points") {
        $0.end64 = { _ in }
        $0.end64ByteCount = 43
    },
    HostileZip("a zip64 record of a huge size", "where the locator points") {
        $0.end64 = { _ in }
        $0.end64ByteCount = .max
    },
    HostileZip("a zip64 record without its signature", "where the locator points") {
        $0.end64 = { _ in }
        $0.end64Signature = 0
    },
    HostileZip("a comment that is not there", "expected the end record of a zip file") { $0.commentByteCount = 1 },
    HostileZip("a comment that nobody announced", "expected the end record of a zip file") {
        $0.comment = [1]
        $0.commentByteCount = 0
    },
    HostileZip(
        "big-endian storages", "entry \"archive/byteorder\": expected \"little\", found \"big\"",
        code: .unsupportedVersion
    ) {
        $0.entries.append(ZipText.Entry(name: "archive/byteorder", content: Array("big".utf8)))
    },
    HostileZip("an endless byte order", "found \"xxxxxxxxxxxxxxxxxxxx\"", code: .unsupportedVersion) {
        $0.entries.append(
            ZipText.Entry(name: "archive/byteorder", content: [UInt8](repeating: 120, count: 1_000_000)))
    },
    HostileZip("a newer version", "expected a version from 1 to 10, found \"11\"", code: .unsupportedVersion) {
        $0.entries[2].content = Array("11\n".utf8)
    },
    HostileZip("no version", "expected a version from 1 to 10, found \"\"", code: .unsupportedVersion) {
        $0.entries[2].content = []
    },
]

@Suite("Torch zip files: what is refused")
struct TorchZipHostileTests {
    private static let valid = ZipText(
        pickle: PickleText.document([
            ("x", PickleText.tensor(PickleText.storage("0", 4), shape: [4], strides: [1]))
        ]), storages: [("0", [UInt8](0..<16))])

    /// Opens the file and reads all its tensors.
    @discardableResult
    private func read(_ bytes: [UInt8]) throws -> TorchFile {
        let file = try TorchFile(bytes, name: "hostile.pth")
        for name in file.tensorNames { _ = try file.view(name).withBytes { $0.reduce(UInt8(0), ^) } }
        return file
    }

    @Test("A hostile archive is refused and says why", arguments: hostileZips)
    func refused(_ zip: HostileZip) throws {
        var text = Self.valid
        zip.change(&text)
        let error = try #require(throws: VernierError.self) { try read(text.bytes) }
        #expect(error.code == zip.code)
        #expect(error.description.contains(zip.message), "\(error)")
        #expect(error.description.contains("hostile.pth"))
    }

    @Test("What the hostile archives change is accepted where it tells the truth")
    func accepted() throws {
        #expect(try read(Self.valid.bytes).tensorNames == ["x"])
        var wide = Self.valid
        wide.end64 = { _ in }
        wide.end = {
            $0.entries = 0xFFFF
            $0.byteCount = .max
            $0.offset = .max
        }
        wide.entries[1].count = .max
        wide.entries[1].storedCount = .max
        wide.entries[1].disk = .max
        wide.entries[1].extra = [0x46, 0x42, 2, 0, 9, 9] + ZipText.wide([16, 16]) + [0, 0, 0, 0]
        // The field ends with the disk's number, in 32 bits.
        wide.entries[1].extra =
            ZipText.little(1 as UInt16) + ZipText.little(20 as UInt16)
            + ZipText.little(16 as UInt64) + ZipText.little(16 as UInt64) + [0, 0, 0, 0]
        wide.entries[1].ownExtra = [0x46, 0x42, 3, 0, 90, 90, 90]
        wide.entries[1].comment = [1, 2, 3]
        wide.entries[1].flags = 0x0808
        wide.entries[1].ownCount = 0
        wide.entries.append(ZipText.Entry(name: "archive/folder/", content: []))
        wide.gap = [1, 2, 3]
        #expect(try read(wide.bytes).tensorNames == ["x"])
    }

    @Test("A file cut at any byte is refused", arguments: ["module.pth", "nested.pth", "typed.pth"])
    func truncated(name: String) throws {
        let bytes = try Fixture.bytes(name)
        for count in 0..<bytes.count {
            #expect(throws: VernierError.self, "\(count) bytes") { try read(Array(bytes[..<count])) }
        }
        try read(bytes)
    }

    @Test("A file with bytes cut out of it is refused")
    func holes() throws {
        let bytes = try Fixture.bytes("typed.pth")
        for start in stride(from: 0, to: bytes.count, by: 3) {
            var damaged = bytes
            damaged.remove(at: start)
            #expect(throws: VernierError.self, "without byte \(start)") { try read(damaged) }
        }
    }

    @Test("Flipped bytes never crash: the file is refused, or its tensors are inside it")
    func flippedBytes() throws {
        let originals = try ["module.pth", "typed.pth"].map { try Fixture.bytes($0) } + [Self.valid.bytes]
        var random = SplitMix64(seed: 2027)
        var acceptedCount = 0
        let rounds = fuzzRounds(6_000)
        for round in 0..<rounds {
            var damaged = originals[round % originals.count]
            for _ in 0..<random.integer(in: 1..<4) {
                // Half of the flips in the directory and the end records.
                let start = random.integer(in: 0..<2) == 0 ? 0 : damaged.count * 3 / 4
                damaged[random.integer(in: start..<damaged.count)] = UInt8(random.integer(in: 0..<256))
            }
            if (try? read(damaged)) != nil { acceptedCount += 1 }
        }
        #expect(acceptedCount > 0 && acceptedCount < rounds)
    }
}
