import TestSupport
import Testing
import VernierCore

@testable import Checkpoints

extension TorchFile {
    /// Reads a file held in memory.
    convenience init(_ bytes: [UInt8], name: String = "test.pth") throws {
        let store = bytes.withUnsafeBytes { TensorBytes(copying: $0) }
        try self.init(store.bytes, owner: store, name: name)
    }
}

enum Fixture {
    private static let folder = {
        let here = #filePath.split(separator: "/", omittingEmptySubsequences: false)
        return here.dropLast().joined(separator: "/") + "/Fixtures"
    }()

    /// The path of a file made by Calibration/PyTorch/fixtures.py.
    static func path(_ name: String) -> String { "\(folder)/\(name)" }

    static func bytes(_ name: String) throws -> [UInt8] { try MappedFile(path: path(name)).withBytes { Array($0) } }
}

@Suite("Torch files: what is read")
struct TorchFileTests {
    @Test(
        "A file of torch.save gives the tensors that torch had, and their digest is that of a safetensors copy",
        arguments: [("module", 9), ("typed", 3), ("nested", 25)])
    func fixtures(name: String, count: Int) throws {
        let torch = try TorchFile(path: Fixture.path("\(name).pth"))
        let copy = try SafetensorsFile(path: Fixture.path("\(name).safetensors"))
        #expect(torch.sourceName == "\(name).pth")
        #expect(torch.tensorNames.count == count)
        expectSame(torch.tensorNames, copy.tensorNames, what: "names")
        for name in copy.tensorNames {
            let (read, expected) = (try torch.view(name), try copy.view(name))
            #expect(read.elementType == expected.elementType && read.shape == expected.shape, "\(name)")
            expectSame(read.withBytes { Array($0) }, expected.withBytes { Array($0) }, what: name)
        }
        #expect(try weightsDigest(of: torch) == weightsDigest(of: copy))
        #expect(try torch.tensor("no such tensor") == nil)
    }

    @Test("Of nested dictionaries one part can be opened, and is the same as a file of that part alone")
    func nested() throws {
        let file = try TorchFile(path: Fixture.path("nested.pth"))
        let part = file.tensors(under: "vae.")
        #expect(
            part.tensorNames == [
                "base", "element", "empty", "empty_view", "expanded", "one", "part", "permuted", "scalar", "stepped",
                "transposed",
            ])
        let folder = TemporaryDirectory()
        try TorchFileWriter.write(to: folder.file("vae.pth"), under: "vae") { writer in
            for name in part.tensorNames { try writer.add(part.view(name).renamed(name)) }
        }
        let copy = try TorchFile(path: folder.file("vae.pth"))
        #expect(copy.tensorNames == part.tensorNames.map { "vae.\($0)" })
        #expect(try weightsDigest(of: copy.tensors(under: "vae.")) == weightsDigest(of: part))
        #expect(file.tensors(under: "trainer.var_wo_ddp.").tensorNames == ["w"])
        #expect(file.tensorNames.contains("optimizer.state.0.exp_avg"), "numbers are keys too")
    }

    @Test("Contiguous tensors, shared storages and views at an offset are shown where they stand; others are copied")
    func views() throws {
        let file = try TorchFile(path: Fixture.path("nested.pth"))
        func start(_ name: String) throws -> UnsafeRawPointer { try #require(try file.view(name).bytes.baseAddress) }
        #expect(try start("vae.base") == start("trainer.vae_local.w"))
        #expect(try start("vae.element") == start("vae.base") + 4 * (2 * 6 + 3))
        #expect(try start("vae.transposed") != start("vae.base"))
        #expect(try file.float32("vae.transposed", shape: [6, 4])[1] == file.float32("vae.base", shape: [4, 6])[6])
    }

    @Test("A view outlives the file object")
    func viewKeepsTheMap() throws {
        let view = try TorchFile(path: Fixture.path("nested.pth")).view("vae.scalar")
        #expect(try view.float32() == [3.5] && view.shape.isEmpty)
        let copy = try TorchFile(path: Fixture.path("nested.pth")).view("types.u8")
        #expect(try copy.uint8() == [0, 3, 1, 4, 2, 5])
    }

    @Test("Only the storages of tensors that are asked for are touched")
    func lazy() throws {
        let pickle = PickleText.document([
            ("whole", PickleText.tensor(PickleText.storage("0", 1), shape: [1], strides: [1])),
            ("damaged", PickleText.tensor(PickleText.storage("1", 1), shape: [1], strides: [1])),
        ])
        var zip = ZipText(pickle: pickle, storages: [("0", [0, 0, 128, 63]), ("1", [0, 0, 0, 64])])
        zip.entries[2].ownName = "archive/data/x"
        let file = try TorchFile(zip.bytes)
        #expect(try file.float32("whole") == [1])
        let error = try #require(throws: VernierError.self) { try file.float32("damaged") }
        #expect(error.description.contains("entry \"archive/data/1\": expected an entry's header that agrees"))
        zip.entries[2].ownName = nil
        #expect(try TorchFile(zip.bytes).float32("damaged") == [2])
    }

    @Test(
        "Any prefix is found, and byte order and version may be missing", arguments: ["", "archive/", "a/b c/\u{e9}/"])
    func prefixes(prefix: String) throws {
        let pickle = PickleText.document([
            ("x", PickleText.tensor(PickleText.storage("k", 2), offset: 1, shape: [], strides: []))
        ])
        var zip = ZipText(pickle: pickle, storages: [("k", [0, 0, 0, 0, 0, 0, 128, 63])], prefix: prefix)
        #expect(try TorchFile(zip.bytes).float32("x", shape: []) == [1])
        zip.entries.removeLast()
        zip.comment = Array("a comment with PK\u{5}\u{6} in it, long enough to hold an end record of its own".utf8)
        zip.end64 = { _ in }
        #expect(try TorchFile(zip.bytes).float32("x", shape: []) == [1])
    }

    @Test("Tensors with random strides are gathered as the definition says")
    func gathering() throws {
        var random = SplitMix64(seed: 7)
        var copyCount = 0
        for round in 0..<500 {
            let elementType = try #require(ElementType.all.randomElement(using: &random))
            let size = elementType.byteCount
            let rank = random.integer(in: 0..<5)
            let shape = (0..<rank).map { _ in random.integer(in: 1..<5) }
            let strides = (0..<rank).map { _ in random.integer(in: 0..<7) }
            let offset = random.integer(in: 0..<4)
            let count = offset + 1 + zip(shape, strides).reduce(0) { $0 + ($1.0 - 1) * $1.1 }
            let storage = (0..<count * size).map { _ in UInt8.random(in: 0...255, using: &random) }
            let tensor = try TorchTensor(
                name: "x", shape: shape, strides: strides, elementOffset: offset,
                storage: TorchStorage(key: "0", elementType: elementType, elementCount: count),
                entry: ZipEntry(name: "0", nameByteCount: 1, headerOffset: 0, byteCount: count * size, limit: 0),
                place: "x")
            var expected: [UInt8] = []
            for index in 0..<shape.reduce(1, *) {
                var (rest, element) = (index, offset)
                for dimension in (0..<rank).reversed() {
                    element += rest % shape[dimension] * strides[dimension]
                    rest /= shape[dimension]
                }
                expected += storage[element * size..<(element + 1) * size]
            }
            if tensor.isContiguous {
                #expect(Array(storage[tensor.byteRange]) == expected, "round \(round)")
            } else {
                copyCount += 1
            }
            guard rank > 0 else { continue }  // a single element is always contiguous
            let copy = storage.withUnsafeBytes { tensor.gathered(from: $0) }
            #expect(withExtendedLifetime(copy) { Array(copy.bytes) } == expected, "round \(round)")
        }
        #expect(copyCount > 200 && copyCount < 500)
    }

    @Test("NaN and infinite weights are errors that name tensor and index, as in safetensors")
    func nonFiniteWeights() throws {
        let pickle = PickleText.document([
            ("block.0.weight", PickleText.tensor(PickleText.storage("0", 4), shape: [2, 2], strides: [1, 2]))
        ])
        let numbers: [UInt8] = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 192, 127, 0, 0, 0, 0]
        let file = try TorchFile(ZipText(pickle: pickle, storages: [("0", numbers)]).bytes)
        let error = try #require(throws: VernierError.self) { try file.float32("block.0.weight") }
        #expect(error.code == .nonFinite && error.place == "test.pth, tensor 'block.0.weight'")
        #expect(error.description.contains("found nan at index 1"))
    }
}
