/// Checks the compiled character map of a SentencePiece model, which the library follows without any bounds.
///
/// A map is a 32-bit length n, a double-array trie of n bytes, then the replacements as C strings. From a trie node at
/// index i the library reads the units at `(i ^ offset) ^ byte` for bytes of the text: all of them must exist.
/// Source: google/sentencepiece: src/normalizer.cc, third_party/darts_clone/darts.h (version 0.1.97).
struct CharacterMap {
    private let units: UnsafeRawBufferPointer
    private let replacementByteCount: Int
    private var unitCount: Int { units.count / 4 }

    /// Whether every map in the serialised model `bytes` keeps its bounds; a model without maps is sound.
    static func areSound(inModel bytes: UnsafeRawBufferPointer) -> Bool {
        // ModelProto: 3 = normaliser, 5 = denormaliser; NormalizerSpec: 2 = map. Every occurrence counts.
        var model = ProtobufFields(bytes)
        while let field = model.next() {
            guard field.number == 3 || field.number == 5, let content = field.content else { continue }
            var specification = ProtobufFields(content)
            while let field = specification.next() {
                guard field.number == 2, let map = field.content, !map.isEmpty else { continue }
                guard CharacterMap(map)?.isSound == true else { return false }
            }
            if specification.isMalformed { return false }
        }
        return !model.isMalformed
    }

    private init?(_ map: UnsafeRawBufferPointer) {
        guard map.count > 4 else { return nil }
        let byteCount = Int(UInt32(littleEndian: map.loadUnaligned(as: UInt32.self)))
        guard byteCount.isMultiple(of: 4), byteCount < map.count - 4 else { return nil }
        units = UnsafeRawBufferPointer(rebasing: map[4..<4 + byteCount])
        replacementByteCount = map.count - 4 - byteCount
    }

    /// Walks every node that a text can reach, each once.
    private var isSound: Bool {
        guard unitCount > 0 else { return false }
        var isSeen = [Bool](repeating: false, count: unitCount)
        var nodes = [0]
        while let node = nodes.popLast() {
            let base = node ^ Self.offset(of: unit(node))
            guard base | 0xFF < unitCount else { return false }
            if Self.hasLeaf(unit(node)), Self.value(of: unit(base)) > replacementByteCount { return false }
            for byte in 0..<256 {
                let child = base ^ byte
                guard Self.label(of: unit(child)) == UInt32(byte), !isSeen[child] else { continue }
                isSeen[child] = true
                nodes.append(child)
            }
        }
        return true
    }

    private func unit(_ index: Int) -> UInt32 {
        UInt32(littleEndian: units.loadUnaligned(fromByteOffset: 4 * index, as: UInt32.self))
    }

    // The fields of a unit, as darts.h has them.
    private static func hasLeaf(_ unit: UInt32) -> Bool { (unit >> 8) & 1 == 1 }
    private static func value(of unit: UInt32) -> Int { Int(unit & 0x7FFF_FFFF) }
    private static func label(of unit: UInt32) -> UInt32 { unit & 0x8000_00FF }
    private static func offset(of unit: UInt32) -> Int { Int((unit >> 10) << ((unit & (1 << 9)) >> 6)) }
}
