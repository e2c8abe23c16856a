import TestSupport
import Testing
import VernierCore

@testable import Checkpoints

@Suite("Torch files: what is written")
struct TorchFileWriterTests {
    @Test("A written file reads back equal, in every element type, with and without zip64", arguments: [false, true])
    func roundTrip(alwaysZip64: Bool) throws {
        let folder = TemporaryDirectory()
        var random = SplitMix64(seed: 3)
        var expected: [TensorView] = []
        for elementType in ElementType.all {
            for (number, shape) in [[], [0], [3], [2, 0, 5], [2, 3], [1, 2, 3, 4]].enumerated() {
                let count = try #require(TensorView.byteCount(of: shape, elementType))
                let bytes = (0..<count).map { _ in UInt8.random(in: 0...255, using: &random) }
                expected.append(
                    TensorView(name: "\(elementType).\(number)", elementType: elementType, shape: shape, bytes: bytes))
            }
        }
        for name in ["a.pth", "b.pth"] {
            try TorchFileWriter.write(to: folder.file(name), alwaysZip64: alwaysZip64) { writer in
                for tensor in expected { try writer.add(tensor) }
            }
        }
        let file = try TorchFile(path: folder.file("a.pth"))
        #expect(file.tensorNames == expected.map(\.name).sorted())
        for tensor in expected {
            let read = try file.view(tensor.name)
            #expect(read.shape == tensor.shape && read.elementType == tensor.elementType)
            #expect(read.withBytes { Array($0) } == tensor.withBytes { Array($0) }, "\(tensor.name)")
            // The map begins at a page, so that addresses show the places in the file.
            #expect(read.bytes.isEmpty || UInt(bitPattern: read.bytes.baseAddress) % 64 == 0)
        }
        #expect(try weightsDigest(of: file) == weightsDigest(of: InMemoryTensors(expected)))
        let (first, second) = (try MappedFile(path: folder.file("a.pth")), try MappedFile(path: folder.file("b.pth")))
        #expect(first.withBytes { Array($0) } == second.withBytes { Array($0) }, "the same bytes every time")
    }

    /// Digests printed by Calibration/PyTorch/fixtures.py.
    @Test("The pickle is torch's, byte for byte")
    func pickle() throws {
        func digest(_ pickler: StateDictPickler) -> String { Digest.of(pickler.finished()) }
        for (key, expected) in [
            (nil, "ea0dd170f2580dbda6ca5f77bf3478424e53e8427fdda79a7280e536b0d7a30d"),
            ("vae", "fc3411046fc4be197ede925a63cc3116cb7642592ff10aa2ed25ba3dee70fbd1"),
        ] {
            var few = StateDictPickler(under: key)
            few.add("matrix", .floatStorage, shape: [4, 6], key: "0")
            few.add("wide", .halfStorage, shape: [1, 1, 6, 300], key: "1")
            few.add("none", .floatStorage, shape: [2, 0, 5], key: "2")
            few.add("scalar", .boolStorage, shape: [], key: "3")
            few.add("large", .byteStorage, shape: [300, 300], key: "4")
            #expect(digest(few) == expected)
        }
        var many = StateDictPickler()
        for number in 0..<1003 { many.add("block.\(number)", .floatStorage, shape: [1, 1], key: "\(number)") }
        #expect(digest(many) == "3525359ade4c32bfb914a5094ed3405598493b328028ae798ce78680ed12d1a7")
    }

    @Test("The largest counts are written in as many bytes as their sign needs, and read back")
    func largeCounts() throws {
        try withEvery("count", in: [255, 256, 65_535, 65_536, 1 << 31 - 1, 1 << 31, 1 << 39, 1 << 40, Int.max]) {
            count in
            var pickler = StateDictPickler()
            pickler.add("x", .byteStorage, shape: [count], key: "0")
            let document = try pickler.finished().withUnsafeBytes { try PickleInterpreter.run($0, place: "x") }
            #expect(document.objects.storages.map(\.elementCount) == [count])
            #expect(document.objects.integers(document.objects.tensors[0].sizes) == [count])
        }
    }

    @Test("An empty dictionary and one of a single tensor are written and read")
    func few() throws {
        let folder = TemporaryDirectory()
        try TorchFileWriter.write(to: folder.file("none.pth")) { _ in }
        #expect(try TorchFile(path: folder.file("none.pth")).tensorNames == [])
        try TorchFileWriter.write(to: folder.file("one.pth")) {
            try $0.add(TensorView(name: "x", shape: [1], float32: [1]))
        }
        #expect(try TorchFile(path: folder.file("one.pth")).float32("x") == [1])
    }

    @Test("After an error there is no file, and the old one is as it was")
    func atomic() throws {
        let folder = TemporaryDirectory()
        struct Stop: Error {}
        #expect(throws: Stop.self) {
            try TorchFileWriter.write(to: folder.file("x.pth")) { writer in
                try writer.add(TensorView(name: "x", shape: [1], float32: [1]))
                throw Stop()
            }
        }
        let none = try #require(throws: VernierError.self) { try TorchFile(path: folder.file("x.pth")) }
        #expect(none.code == .fileAccess)
        let twice = try #require(throws: VernierError.self) {
            try TorchFileWriter.write(to: folder.file("x.pth")) { writer in
                for _ in 0..<2 { try writer.add(TensorView(name: "x", shape: [1], float32: [1])) }
            }
        }
        #expect(twice.code == .invalidArgument && twice.description.contains("'x' twice"))
        let nowhere = try #require(throws: VernierError.self) {
            try TorchFileWriter.write(to: folder.file("no/x.pth")) { _ in }
        }
        #expect(nowhere.code == .fileAccess)
    }

    @Test("Check sums are CRC-32, at every length around a step")
    func checkSums() {
        func sum(_ bytes: [UInt8]) -> UInt32 { bytes.withUnsafeBytes { CyclicRedundancyCheck.crc32($0) } }
        #expect(sum(Array("123456789".utf8)) == 0xCBF4_3926)
        #expect(sum([]) == 0)
        for count in 0..<40 {
            let bytes = (0..<count).map { UInt8(truncatingIfNeeded: $0 * 37 + 11) }
            var expected = UInt32.max  // bit by bit
            for byte in bytes {
                expected ^= UInt32(byte)
                for _ in 0..<8 { expected = expected & 1 == 0 ? expected >> 1 : expected >> 1 ^ 0xEDB8_8320 }
            }
            #expect(sum(bytes) == ~expected, "\(count) bytes")
        }
    }
}
