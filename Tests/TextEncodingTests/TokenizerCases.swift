import Checkpoints
import TestSupport
import VernierCore

/// The golden tokeniser cases: texts and the ids expected for them.
struct TokenizerCases {
    private let file: SafetensorsFile

    init() throws { file = try Golden.open("tok-a.cases") }

    /// The texts stored as `name.bytes`, cut at `name.offsets`.
    func texts(_ name: String) throws -> [String] {
        let bytes = try file.uint8("\(name).bytes")
        return try ranges(name).map { String(decoding: bytes[$0], as: UTF8.self) }
    }

    /// The lists of ids stored as `name`, cut at `name.offsets`.
    func ids(_ name: String) throws -> [[Int32]] {
        let ids = try file.int32(name)
        return try ranges(name).map { Array(ids[$0]) }
    }

    /// For each text whether both reference tokenisers agree.
    func agree() throws -> [Bool] { try file.uint8("same").map { $0 == 1 } }

    /// The padded encodings: the ids where the mask is 1, and the padding after them.
    func padded() throws -> [(ids: [Int32], padding: [Int32])] {
        let ids = try file.int32("padded.ids", shape: [41, 24])
        let mask = try file.int32("padded.mask", shape: [41, 24])
        return (0..<41).map { row in
            let range = row * 24..<(row + 1) * 24
            let count = mask[range].reduce(0) { $0 + Int($1) }
            return (Array(ids[range].prefix(count)), Array(ids[range].dropFirst(count)))
        }
    }

    private func ranges(_ name: String) throws -> [Range<Int>] {
        let offsets = try file.int32("\(name).offsets").map { Int($0) }
        return zip(offsets, offsets.dropFirst()).map { $0..<$1 }
    }
}
