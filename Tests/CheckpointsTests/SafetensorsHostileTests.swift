import TestSupport
import Testing
import VernierCore

@testable import Checkpoints

/// A file that must be refused, and a part of the message.
struct HostileFile: Sendable, CustomTestStringConvertible {
    let what: String
    let bytes: [UInt8]
    let message: String
    var testDescription: String { what }

    init(_ what: String, _ bytes: [UInt8], _ message: String) {
        self.what = what
        self.bytes = bytes
        self.message = message
    }

    init(_ what: String, header: String, dataByteCount: Int = 0, _ message: String) {
        let data = [UInt8](repeating: 0, count: dataByteCount)
        self.init(what, Self.length(header.utf8.count) + Array(header.utf8) + data, message)
    }

    static func length(_ count: Int) -> [UInt8] {
        withUnsafeBytes(of: UInt64(count).littleEndian) { Array($0) }
    }
}

private func tensor(_ type: String, _ shape: String, _ offsets: String) -> String {
    "{\"dtype\":\"\(type)\",\"shape\":\(shape),\"data_offsets\":\(offsets)}"
}

private let hostileFiles: [HostileFile] = [
    HostileFile("empty", [], "expected at least 8 bytes, found 0"),
    HostileFile("seven bytes", [1, 0, 0, 0, 0, 0, 0], "expected at least 8 bytes, found 7"),
    HostileFile(
        "header length 2^64 - 1", [UInt8](repeating: 255, count: 16),
        "expected a header of at most 100000000 bytes, found one of 18446744073709551615"),
    HostileFile(
        "header length above the cap", HostileFile.length(100_000_001) + [123],
        "expected a header of at most 100000000 bytes, found one of 100000001"),
    HostileFile(
        "header longer than the file", HostileFile.length(100) + Array("{}".utf8),
        "expected at least 108 bytes for the header, found 10"),
    HostileFile("header of no bytes", HostileFile.length(0), "begins with '{', found an empty one"),
    HostileFile("header that is an array", header: "[]", "begins with '{'"),
    HostileFile("header that begins with a space", header: " {}", "begins with '{'"),
    HostileFile("header cut short", header: "{\"a\"", "header, line 1, column 5"),
    HostileFile("header with text after it", header: "{} x", "expected the end of the text"),
    HostileFile("header that is no UTF-8", HostileFile.length(4) + [123, 34, 0xFF, 34], "not valid UTF-8"),
    HostileFile(
        "deep nesting", header: "{\"a\":" + String(repeating: "[", count: 100_000), "header, line 1, column"),
    HostileFile("entry that is no object", header: "{\"a\":3}", "a: expected an object, found 3"),
    HostileFile(
        "no dtype", header: "{\"a\":{\"shape\":[],\"data_offsets\":[0,4]}}", dataByteCount: 4, "a member \"dtype\""),
    HostileFile(
        "no shape", header: "{\"a\":{\"dtype\":\"F32\",\"data_offsets\":[0,4]}}", dataByteCount: 4, "a member \"shape\""
    ),
    HostileFile(
        "no offsets", header: "{\"a\":{\"dtype\":\"F32\",\"shape\":[]}}", dataByteCount: 4, "a member \"data_offsets\""),
    HostileFile(
        "unknown member", header: "{\"a\":{\"dtype\":\"U8\",\"shape\":[],\"data_offsets\":[0,1],\"x\":1}}",
        dataByteCount: 1, "also \"x\""),
    HostileFile(
        "unknown type", header: "{\"a\":\(tensor("F8_E4M3", "[1]", "[0,1]"))}", dataByteCount: 1,
        "expected one of F64, F32"),
    HostileFile("negative extent", header: "{\"a\":\(tensor("U8", "[-1]", "[0,1]"))}", dataByteCount: 1, "shape[0]"),
    HostileFile("fractional extent", header: "{\"a\":\(tensor("U8", "[1.0]", "[0,1]"))}", dataByteCount: 1, "shape[0]"),
    HostileFile(
        "extent that is text", header: "{\"a\":\(tensor("U8", "[\"1\"]", "[0,1]"))}", dataByteCount: 1, "shape[0]"),
    HostileFile(
        "shape overflow", header: "{\"a\":\(tensor("U8", "[4294967296,4294967296]", "[0,0]"))}",
        "expected a size below 2^63 bytes"),
    HostileFile(
        "shape overflow by the element size", header: "{\"a\":\(tensor("F32", "[4611686018427387904]", "[0,0]"))}",
        "expected a size below 2^63 bytes"),
    HostileFile(
        "extent beyond 64 bits", header: "{\"a\":\(tensor("U8", "[99999999999999999999]", "[0,0]"))}", "shape[0]"),
    HostileFile("one offset", header: "{\"a\":\(tensor("U8", "[1]", "[0]"))}", dataByteCount: 1, "an array of 2"),
    HostileFile(
        "three offsets", header: "{\"a\":\(tensor("U8", "[1]", "[0,1,2]"))}", dataByteCount: 1, "an array of 2"),
    HostileFile(
        "negative offset", header: "{\"a\":\(tensor("U8", "[1]", "[-1,0]"))}", dataByteCount: 1, "data_offsets[0]"),
    HostileFile(
        "descending offsets", header: "{\"a\":\(tensor("U8", "[1]", "[1,0]"))}", dataByteCount: 1, "ascending offsets"),
    HostileFile(
        "size unlike the shape", header: "{\"a\":\(tensor("F32", "[2]", "[0,4]"))}", dataByteCount: 4,
        "expected 8 bytes for shape [2] of F32, found 4"),
    HostileFile(
        "offsets beyond the file", header: "{\"a\":\(tensor("U8", "[9]", "[0,9]"))}", dataByteCount: 8,
        "expected 9 bytes of tensors after the header, found 8"),
    HostileFile(
        "offsets near 2^63", header: "{\"a\":\(tensor("U8", "[1]", "[9223372036854775806,9223372036854775807]"))}",
        dataByteCount: 1, "a hole"),
    HostileFile(
        "bytes after the last tensor", header: "{\"a\":\(tensor("U8", "[1]", "[0,1]"))}", dataByteCount: 2,
        "expected 1 bytes of tensors after the header, found 2"),
    HostileFile("data without tensors", header: "{}", dataByteCount: 1, "expected 0 bytes of tensors"),
    HostileFile("hole at the start", header: "{\"a\":\(tensor("U8", "[1]", "[1,2]"))}", dataByteCount: 2, "a hole"),
    HostileFile(
        "hole", header: "{\"a\":\(tensor("U8", "[1]", "[0,1]")),\"b\":\(tensor("U8", "[1]", "[2,3]"))}",
        dataByteCount: 3, "tensor 'b' to begin at offset 1, found a hole: it begins at 2"),
    HostileFile(
        "overlap", header: "{\"a\":\(tensor("U8", "[2]", "[0,2]")),\"b\":\(tensor("U8", "[2]", "[1,3]"))}",
        dataByteCount: 3, "tensor 'b' to begin at offset 2, found an overlap: it begins at 1"),
    HostileFile(
        "two tensors on the same bytes",
        header: "{\"a\":\(tensor("U8", "[2]", "[0,2]")),\"b\":\(tensor("U8", "[2]", "[0,2]"))}", dataByteCount: 2,
        "an overlap"),
    HostileFile(
        "same name twice", header: "{\"a\":\(tensor("U8", "[1]", "[0,1]")),\"a\":\(tensor("U8", "[1]", "[1,2]"))}",
        dataByteCount: 2, "appears twice"),
    HostileFile(
        "same name once escaped",
        header: "{\"a\":\(tensor("U8", "[1]", "[0,1]")),\"\\u0061\":\(tensor("U8", "[1]", "[1,2]"))}",
        dataByteCount: 2, "appears twice"),
    HostileFile(
        "names equal under Unicode",
        header: "{\"\u{e9}\":\(tensor("U8", "[1]", "[0,1]")),\"e\u{301}\":\(tensor("U8", "[1]", "[1,2]"))}",
        dataByteCount: 2, "expected distinct tensor names"),
    HostileFile("metadata that is no object", header: "{\"__metadata__\":[]}", "__metadata__: expected an object"),
    HostileFile("metadata with a number", header: "{\"__metadata__\":{\"a\":1}}", "expected a string, found 1"),
]

@Suite("Safetensors: what is refused")
struct SafetensorsHostileTests {
    private func open(_ bytes: [UInt8]) throws -> SafetensorsFile {
        let store = bytes.withUnsafeBytes { TensorBytes(copying: $0) }
        return try SafetensorsFile(store.bytes, owner: store, name: "hostile.safetensors")
    }

    @Test("A malformed file is refused and says why", arguments: hostileFiles)
    func refused(_ file: HostileFile) throws {
        let error = try #require(throws: VernierError.self) { _ = try open(file.bytes) }
        #expect(error.code == .malformedFile)
        #expect(error.description.contains(file.message), "\(error)")
        #expect(error.description.contains("hostile.safetensors"))
    }

    @Test("A file that is missing or a folder is an access error")
    func access() throws {
        let folder = TemporaryDirectory()
        let missing = try #require(throws: VernierError.self) { _ = try SafetensorsFile(path: folder.file("none")) }
        #expect(missing.code == .fileAccess)
        let error = try #require(throws: VernierError.self) { _ = try SafetensorsFile(path: folder.path) }
        #expect(error.code == .fileAccess)
        try AtomicFile.write([UInt8](), to: folder.file("empty"))
        let empty = try #require(throws: VernierError.self) { _ = try SafetensorsFile(path: folder.file("empty")) }
        #expect(empty.code == .malformedFile)
    }

    @Test("A valid file cut at any offset is refused")
    func truncated() throws {
        let bytes = try validFile()
        try withEvery("byteCount", in: 0..<bytes.count) { count in
            #expect(throws: VernierError.self) { _ = try open(Array(bytes[..<count])) }
        }
        _ = try open(bytes)
    }

    @Test("Flipped bytes never crash: the file is refused, or every view is inside it")
    func flippedBytes() throws {
        let bytes = try validFile()
        let headerEnd = 8 + Int(bytes[0]) + Int(bytes[1]) << 8
        var random = SplitMix64(seed: 2026)
        var acceptedCount = 0
        let rounds = fuzzRounds(20_000)
        for _ in 0..<rounds {
            var damaged = bytes
            for _ in 0..<random.integer(in: 1..<4) {
                // Mostly the header: flips in the content are always accepted.
                let limit = random.integer(in: 0..<10) == 0 ? bytes.count : headerEnd
                damaged[random.integer(in: 0..<limit)] = UInt8(random.integer(in: 0..<256))
            }
            guard let file = try? open(damaged) else { continue }
            acceptedCount += 1
            #expect(file.tensors.values.reduce(0) { $0 + $1.bytes.count } == bytes.count - headerEnd)
            for view in file.tensors.values {
                _ = view.withBytes { $0.reduce(UInt8(0), ^) }
                _ = try? view.float32()
                _ = try? view.int32()
            }
        }
        #expect(acceptedCount > 0 && acceptedCount < rounds)
    }

    @Test("NaN and infinite weights are errors that name tensor and index", arguments: ["F32", "F16", "BF16"])
    func nonFiniteWeights(_ typeName: String) throws {
        let elementType = try #require(ElementType(named: typeName))
        let patterns: [[UInt8]] =
            switch elementType {
            case .f16: [[0, 0x7C], [0, 0xFC], [1, 0x7E], [1, 0xFC]]
            case .bf16: [[0x80, 0x7F], [0x80, 0xFF], [0xC0, 0x7F], [0x81, 0xFF]]
            default: [[0, 0, 0x80, 0x7F], [0, 0, 0x80, 0xFF], [0, 0, 0xC0, 0x7F], [1, 0, 0x80, 0x7F]]
            }
        let size = elementType.byteCount
        try withEvery("pattern", in: patterns) { pattern in
            try withEvery("index", in: [0, 1, 63, 70]) { index in
                var bytes = [UInt8](repeating: 0, count: 71 * size)
                bytes.replaceSubrange(index * size..<(index + 1) * size, with: pattern)
                var writer = SafetensorsWriter()
                try writer.add(TensorView(name: "block.0.weight", elementType: elementType, shape: [71], bytes: bytes))
                let file = try open(writer.serialised())
                let error = try #require(throws: VernierError.self) { _ = try file.float32("block.0.weight") }
                #expect(error.code == .nonFinite)
                #expect(error.place == "hostile.safetensors, tensor 'block.0.weight'")
                #expect(error.description.contains("at index \(index)"))
            }
        }
    }

    private func validFile() throws -> [UInt8] {
        var writer = SafetensorsWriter(metadata: ["format": "pt"])
        try writer.add(TensorView(name: "w", shape: [2, 3], float32: [1, 2, 3, 4, 5, 6]))
        try writer.add(TensorView(name: "ids", shape: [4], int32: [1, 2, 3, 4]))
        try writer.add(TensorView(name: "h", elementType: .bf16, shape: [3], bytes: [1, 2, 3, 4, 5, 6]))
        try writer.add(TensorView(name: "bits", shape: [5], bytes: [0, 1, 0, 1, 1]))
        return try writer.serialised()
    }
}
