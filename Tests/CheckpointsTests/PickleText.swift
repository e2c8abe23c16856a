/// Parts of pickles, by the names of their opcodes.
enum PickleText {
    static let start: [UInt8] = [0x80, 2]
    static let stop: [UInt8] = Array(".".utf8)
    static let dictionary: [UInt8] = Array("}".utf8)
    static let emptyTuple: [UInt8] = Array(")".utf8)
    static let mark: [UInt8] = Array("(".utf8)
    static let tuple: [UInt8] = Array("t".utf8)
    static let setItem: [UInt8] = Array("s".utf8)
    static let setItems: [UInt8] = Array("u".utf8)
    static let reduce: [UInt8] = Array("R".utf8)
    static let persistent: [UInt8] = Array("Q".utf8)
    static let none: [UInt8] = Array("N".utf8)
    static let ordered = join(global("collections", "OrderedDict"), emptyTuple, reduce)
    static let rebuild = global("torch._utils", "_rebuild_tensor_v2")

    /// One after the other; quicker for the compiler than a chain of `+`.
    static func join(_ parts: [UInt8]...) -> [UInt8] { Array(parts.joined()) }

    static func global(_ module: String, _ name: String) -> [UInt8] { Array("c\(module)\n\(name)\n".utf8) }

    static func text(_ text: String) -> [UInt8] {
        join(Array("X".utf8), ZipText.little(UInt32(text.utf8.count)), Array(text.utf8))
    }

    static func put(_ place: UInt8) -> [UInt8] { [0x71, place] }
    static func get(_ place: UInt8) -> [UInt8] { [0x68, place] }

    /// A whole number in eight bytes.
    static func integer(_ number: Int64) -> [UInt8] { [0x8A, 8] + ZipText.little(number) }

    static func tuple(_ parts: [[UInt8]]) -> [UInt8] { mark + parts.joined() + tuple }

    static func storage(_ key: String, _ count: Int64, type: String = "FloatStorage") -> [UInt8] {
        tuple([text("storage"), global("torch", type), text(key), text("cpu"), integer(count)]) + persistent
    }

    static func tensor(
        _ storage: [UInt8], offset: Int64 = 0, shape: [Int64], strides: [Int64]
    ) -> [UInt8] {
        join(rebuild, arguments(storage, offset: offset, shape: shape, strides: strides), reduce)
    }

    /// The arguments of `_rebuild_tensor_v2`.
    static func arguments(
        _ storage: [UInt8], offset: Int64 = 0, shape: [Int64], strides: [Int64]
    ) -> [UInt8] {
        tuple([storage, integer(offset), tuple(shape.map(integer)), tuple(strides.map(integer)), [0x89], ordered])
    }

    /// A whole pickle with a dictionary.
    static func document(_ items: [(key: String, value: [UInt8])]) -> [UInt8] {
        join(start, dictionary, mark, items.flatMap { text($0.key) + $0.value }, setItems, stop)
    }
}
