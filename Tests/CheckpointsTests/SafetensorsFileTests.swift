import TestSupport
import Testing
import VernierCore

@testable import Checkpoints

@Suite("Safetensors: what is read")
struct SafetensorsFileTests {
    @Test("A written file reads back equal, in every element type, with empty and scalar tensors")
    func roundTrip() throws {
        let folder = TemporaryDirectory()
        var random = SplitMix64(seed: 1)
        var writer = SafetensorsWriter(metadata: ["note": "quotes \" and \\ and \n lines, \u{e9}", "empty": ""])
        var expected: [String: TensorView] = [:]
        for elementType in ElementType.all {
            for (number, shape) in [[], [0], [3], [2, 0, 5], [2, 3], [1, 2, 3, 4]].enumerated() {
                let count = try #require(TensorView.byteCount(of: shape, elementType))
                let bytes = (0..<count).map { _ in UInt8.random(in: 0...255, using: &random) }
                let tensor = TensorView(
                    name: "\(elementType).\(number)", elementType: elementType, shape: shape, bytes: bytes)
                try writer.add(tensor)
                expected[tensor.name] = tensor
            }
        }
        try writer.write(to: folder.file("all.safetensors"))

        let file = try SafetensorsFile(path: folder.file("all.safetensors"))
        #expect(file.metadata == writer.metadata)
        #expect(file.sourceName == "all.safetensors")
        #expect(file.tensorNames == expected.keys.sorted())
        for (name, tensor) in expected {
            let read = try file.view(name)
            #expect(read.shape == tensor.shape && read.elementType == tensor.elementType)
            #expect(read.withBytes { Array($0) } == tensor.withBytes { Array($0) })
        }
        let onDisk = try MappedFile(path: folder.file("all.safetensors"))
        let isSame = try withExtendedLifetime(onDisk) { try writer.serialised() == Array(onDisk.bytes) }
        #expect(isSame)
    }

    @Test("The order in which tensors are added does not change the file, and each is aligned for its type")
    func deterministicBytes() throws {
        let tensors = [
            TensorView(name: "b", shape: [3], bytes: [1, 2, 3]), TensorView(name: "a", shape: [1], float32: [1]),
            TensorView(name: "c", shape: [2], int32: [1, 2]),
            TensorView(name: "h", elementType: .f16, shape: [1], bytes: [0, 60]),
        ]
        var forwards = SafetensorsWriter(metadata: ["x": "1", "y": "2"])
        var backwards = SafetensorsWriter(metadata: ["y": "2", "x": "1"])
        for tensor in tensors { try forwards.add(tensor) }
        for tensor in tensors.reversed() { try backwards.add(tensor) }
        let bytes = try forwards.serialised()
        #expect(try bytes == backwards.serialised())

        let folder = TemporaryDirectory()
        try AtomicFile.write(bytes, to: folder.file("x"))
        for tensor in try SafetensorsFile(path: folder.file("x")).tensors.values {
            #expect(UInt(bitPattern: tensor.bytes.baseAddress) % UInt(tensor.elementType.byteCount) == 0)
        }
        #expect(throws: VernierError.self) { try forwards.add(tensors[0]) }
        #expect(throws: VernierError.self) {
            try forwards.add(TensorView(name: "__metadata__", shape: [0], bytes: []))
        }
    }

    @Test("A view outlives the file object, also when the file is removed")
    func viewKeepsTheMap() throws {
        let view = try {
            let folder = TemporaryDirectory()
            var writer = SafetensorsWriter()
            try writer.add(TensorView(name: "x", shape: [2], float32: [1.5, -2]))
            try writer.write(to: folder.file("x.safetensors"))
            return try SafetensorsFile(path: folder.file("x.safetensors")).view("x")
        }()
        #expect(try view.float32() == [1.5, -2])
    }

    @Test("The golden files open, and their types are the documented ones")
    func goldenFiles() throws {
        let weights = try Golden.open("inf-a.weights")
        #expect(weights.tensors.count == 106)
        #expect(weights.tensors.values.allSatisfy { $0.elementType == .f16 })
        let other = try Golden.open("inf-b.weights")
        #expect(other.tensors.values.allSatisfy { $0.elementType == .bf16 })
        let run = try Golden.open("inf-a.run")
        #expect(try run.config.member("depth").integer() == 4)
        #expect(try run.int32("in.scales", shape: [7, 2]).prefix(4) == [1, 1, 2, 2])
        #expect(try run.uint8("in.bits.0", shape: [2, 1, 1, 16]).allSatisfy { $0 <= 1 })
        let blocks = weights.tensors(under: "transformer.block_chunks.1.module.0.")
        #expect(blocks.tensorNames.count == 21 && blocks.tensorNames.first == "ada_gss")
        #expect(try blocks.float32("sa.q_bias", shape: [64]).count == 64)
    }

    @Test("Asking for what is not there, or is of another shape or type, names tensor, expected and found")
    func readingErrors() throws {
        let source = InMemoryTensors(
            [
                TensorView(name: "w", shape: [2, 3], float32: [0, 1, 2, 3, 4, 5]),
                TensorView(name: "n", shape: [3], float32: [0, .nan, .infinity]),
                TensorView(name: "i", elementType: .i64, shape: [1], bytes: [0, 0, 0, 0, 1, 0, 0, 0]),
                TensorView(name: "d", elementType: .f64, shape: [1], bytes: [0, 0, 0, 0, 0, 0, 0, 0]),
            ], named: "model.safetensors")
        func message(_ body: () throws -> Void) throws -> String {
            "\(try #require(#expect(throws: VernierError.self, performing: body)))"
        }
        let missing = try message { _ = try source.float32("x") }
        #expect(missing.hasPrefix("model.safetensors: expected a tensor 'x', found none of that name."))
        let shape = try message { _ = try source.float32("w", shape: [3, 2]) }
        #expect(shape.contains("tensor 'w': expected shape [3, 2], found shape [2, 3]"))
        let nan = try message { _ = try source.float32("n") }
        #expect(nan.contains("tensor 'n': expected finite numbers, found nan at index 1"))
        let wide = try message { _ = try source.int32("i") }
        #expect(wide.contains("expected 32-bit integers, found 4294967296 at index 0"))
        let double = try message { _ = try source.float32("d") }
        #expect(double.contains("expected F32, F16 or BF16, found F64"))
        let float = try message { _ = try source.int32("w") }
        #expect(float.contains("expected an integer type, found F32"))
        let bytes = try message { _ = try source.uint8("w") }
        #expect(bytes.contains("expected U8 or BOOL, found F32"))
        let room = try message {
            _ = try [Float](unsafeUninitializedCapacity: 5) { buffer, _ in
                try source.view("w").copyFloat32(into: UnsafeMutableBufferPointer(rebasing: buffer[..<5]))
            }
        }
        #expect(room.contains("expected room for 6 numbers, found 5"))
    }

    @Test("Integers of every width widen to 32 bits")
    func integers() throws {
        func read(_ elementType: ElementType, _ bytes: [UInt8]) throws -> [Int32] {
            try TensorView(
                name: "x", elementType: elementType, shape: [bytes.count / elementType.byteCount], bytes: bytes
            ).int32()
        }
        #expect(try read(.u8, [0, 255]) == [0, 255])
        #expect(try read(.i8, [127, 255]) == [127, -1])
        #expect(try read(.i16, [1, 2, 255, 255]) == [513, -1])
        #expect(try read(.i32, [0, 0, 0, 128]) == [Int32.min])
        #expect(try read(.i64, [254, 255, 255, 255, 255, 255, 255, 255]) == [-2])
    }

    @Test("All faults of a model's weights stand in one error")
    func requirements() throws {
        var requirements = TensorRequirements()
        requirements.add("a", shape: [2])
        requirements.add("shared.weight", "embed.weight", shape: [1])
        requirements.add("b", shape: [3])
        requirements.add("c", "d", shape: [1])
        let source = InMemoryTensors([
            TensorView(name: "a", shape: [3], bytes: [0, 0, 0]),
            TensorView(name: "embed.weight", shape: [1], float32: [1]),
            TensorView(name: "extra", shape: [1], float32: [1]),
        ])
        let error = try #require(throws: VernierError.self) { try requirements.check(source) }
        #expect(
            error.problems == [
                "tensor 'a': expected shape [2], found [3]", "tensor 'a': expected F32, F16 or BF16, found U8",
                "no tensor 'b' of shape [3]", "no tensor 'c' or 'd' of shape [1]",
            ])
        var many = TensorRequirements()
        for number in 0..<50 { many.add("x\(number)", shape: [1]) }
        let long = try #require(throws: VernierError.self) { try many.check(source) }
        #expect(long.problems.count == 21 && long.problems.last == "and 30 more faults")
    }

    @Test("The weights' digest ignores metadata and sees name, type, shape and content")
    func digest() throws {
        let tensor = TensorView(name: "x", shape: [2, 2], float32: [1, 2, 3, 4])
        let other = TensorView(name: "y", shape: [1], bytes: [7])
        let folder = TemporaryDirectory()
        var writer = SafetensorsWriter(metadata: ["a": "b"])
        try writer.add(other)
        try writer.add(tensor)
        try writer.write(to: folder.file("x"))
        let digest = try weightsDigest(of: InMemoryTensors([tensor, other]))
        #expect(digest.utf8.count == 64)
        #expect(try weightsDigest(of: SafetensorsFile(path: folder.file("x"))) == digest)
        let changed = [
            TensorView(name: "z", shape: [2, 2], float32: [1, 2, 3, 4]),
            TensorView(name: "x", shape: [4], float32: [1, 2, 3, 4]),
            TensorView(name: "x", shape: [2, 2], float32: [1, 2, 3, 5]),
            TensorView(name: "x", elementType: .i32, shape: [2, 2], bytes: tensor.withBytes { Array($0) }),
        ]
        for change in changed { #expect(try weightsDigest(of: InMemoryTensors([change, other])) != digest) }
    }
}
