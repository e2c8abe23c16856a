/// Writes the pickle of a flat ordered dictionary of tensors, byte for byte as Python's pickler does for `torch.save`.
///
/// Every tensor is contiguous and fills a storage of its own. Source: CPython: Modules/_pickle.c (protocol 2, batches of
/// 1000 items, a memo of whatever could be referred to again); torch: torch/_tensor.py (`__reduce_ex__`) and
/// torch/serialization.py (`persistent_id`).
struct StateDictPickler {
    private static let batchCount = 1000

    /// Places in the memo of what recurs: imports and fixed texts.
    private var places: [String: UInt32] = [:]
    private var memoCount: UInt32 = 0
    private let isNested: Bool
    private var head: [UInt8] = [PickleOpcode.version.rawValue, 2]
    private var items: [[UInt8]] = []

    /// An empty dictionary, as the only member `key` of a plain dictionary if a key is given.
    init(under key: String? = nil) {
        isNested = key != nil
        if let key {
            head.append(PickleOpcode.emptyDictionary.rawValue)
            head += remembered()
            head += text(key)
        }
        head += emptyOrderedDictionary()
    }

    /// Adds a tensor; `key` names its storage.
    mutating func add(_ name: String, _ storage: PickleGlobal, shape: [Int], key: String) {
        var strides = [Int](repeating: 1, count: shape.count)
        for dimension in strides.indices.dropLast().reversed() {
            strides[dimension] = strides[dimension + 1] * max(shape[dimension + 1], 1)
        }
        var item = text(name) + global(.rebuildTensor)
        item += [PickleOpcode.mark.rawValue, PickleOpcode.mark.rawValue]
        item += recurring("storage") + global(storage) + text(key) + recurring("cpu")
        item += Self.integer(shape.reduce(1, *))
        item.append(PickleOpcode.tuple.rawValue)
        item += remembered()
        item.append(PickleOpcode.persistentIdentifier.rawValue)
        item += Self.integer(0) + tuple(shape) + tuple(strides)
        item.append(PickleOpcode.newFalse.rawValue)
        item += emptyOrderedDictionary()
        item.append(PickleOpcode.tuple.rawValue)
        item += remembered()
        item.append(PickleOpcode.reduce.rawValue)
        item += remembered()
        items.append(item)
    }

    /// The whole pickle.
    func finished() -> [UInt8] {
        var pickle = head
        for start in stride(from: 0, to: items.count, by: Self.batchCount) {
            let batch = items[start..<min(items.count, start + Self.batchCount)]
            if batch.count > 1 { pickle.append(PickleOpcode.mark.rawValue) }
            for item in batch { pickle += item }
            pickle.append((batch.count > 1 ? PickleOpcode.setItems : .setItem).rawValue)
        }
        if isNested { pickle.append(PickleOpcode.setItem.rawValue) }
        pickle.append(PickleOpcode.stop.rawValue)
        return pickle
    }

    // MARK: Parts

    private mutating func emptyOrderedDictionary() -> [UInt8] {
        global(.orderedDictionary) + [PickleOpcode.emptyTuple.rawValue, PickleOpcode.reduce.rawValue] + remembered()
    }

    private mutating func global(_ global: PickleGlobal) -> [UInt8] {
        if let place = places[global.rawValue] { return recalled(place) }
        places[global.rawValue] = memoCount
        let words = global.rawValue.split(separator: " ").flatMap { Array($0.utf8) + [UInt8(ascii: "\n")] }
        return [PickleOpcode.global.rawValue] + words + remembered()
    }

    private mutating func recurring(_ word: String) -> [UInt8] {
        if let place = places[word] { return recalled(place) }
        places[word] = memoCount
        return text(word)
    }

    private mutating func text(_ text: String) -> [UInt8] {
        var bytes = [PickleOpcode.unicode.rawValue]
        bytes.append(littleEndian: UInt32(text.utf8.count))
        return bytes + Array(text.utf8) + remembered()
    }

    private mutating func tuple(_ numbers: [Int]) -> [UInt8] {
        let elements = numbers.flatMap(Self.integer)
        switch numbers.count {
        case 0: return [PickleOpcode.emptyTuple.rawValue]  // the one value that Python does not remember
        case 1: return elements + [PickleOpcode.tuple1.rawValue] + remembered()
        case 2: return elements + [PickleOpcode.tuple2.rawValue] + remembered()
        case 3: return elements + [PickleOpcode.tuple3.rawValue] + remembered()
        default: return [PickleOpcode.mark.rawValue] + elements + [PickleOpcode.tuple.rawValue] + remembered()
        }
    }

    /// A number from 0 on, in the shortest form.
    private static func integer(_ number: Int) -> [UInt8] {
        if let small = UInt8(exactly: number) { return [PickleOpcode.binaryInteger1.rawValue, small] }
        var bytes: [UInt8] = []
        if let medium = UInt16(exactly: number) {
            bytes.append(PickleOpcode.binaryInteger2.rawValue)
            bytes.append(littleEndian: medium)
        } else if let large = Int32(exactly: number) {
            bytes.append(PickleOpcode.binaryInteger.rawValue)
            bytes.append(littleEndian: large)
        } else {
            // In two's complement: as many bytes as leave the sign bit clear.
            let count = (Int.bitWidth - number.leadingZeroBitCount) / 8 + 1
            bytes += [PickleOpcode.long1.rawValue, UInt8(count)]
            bytes += (0..<count).map { UInt8(truncatingIfNeeded: number >> (8 * $0)) }
        }
        return bytes
    }

    /// Puts the value on the stack into the memo's next place.
    private mutating func remembered() -> [UInt8] {
        defer { memoCount += 1 }
        return Self.memo(.put, .longPut, memoCount)
    }

    private func recalled(_ place: UInt32) -> [UInt8] { Self.memo(.get, .longGet, place) }

    private static func memo(_ short: PickleOpcode, _ long: PickleOpcode, _ place: UInt32) -> [UInt8] {
        if let small = UInt8(exactly: place) { return [short.rawValue, small] }
        var bytes = [long.rawValue]
        bytes.append(littleEndian: place)
        return bytes
    }
}
