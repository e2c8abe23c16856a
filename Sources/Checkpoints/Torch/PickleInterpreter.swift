import VernierCore

/// Reads the pickle of a torch file: a stack machine that can make dictionaries and tensor descriptions, nothing else.
///
/// No code is run, whatever the file says: an import is one of ``PickleGlobal`` or an error, a call is one of the few
/// that ``call(_:_:)`` spells out. Time and memory are linear in the pickle's size, which is bounded: every opcode makes
/// at most one small value, values do not own each other, and nothing here recurses, so deep nesting is harmless.
///
/// Source: CPython: Lib/pickletools.py for the opcodes; torch: torch/_utils.py and torch/serialization.py for the
/// calls and the persistent identifiers. Stricter than Python: protocol 2 only, a mark cannot be taken for a value,
/// nothing may follow the end.
struct PickleInterpreter {
    /// The most bytes that a pickle may have; the largest released checkpoint needs less than 1 MB.
    static let maximumByteCount = 16 << 20
    /// The most dimensions of a tensor.
    static let maximumRank = 32

    let bytes: UnsafeRawBufferPointer
    private let place: String
    /// Where the next byte to read stands.
    var position = 0
    /// Where the opcode in progress stands, for messages.
    private var opcodeOffset = 0
    private var stack: [PickleValue] = []
    /// The heights of the stack at which a mark stands.
    private var marks: [Int] = []
    private var memo: [UInt32: PickleValue] = [:]
    var objects = PickleObjects()

    /// Reads the pickle `bytes`; `place` names it in messages.
    ///
    /// Throws ``VernierError/Code/malformedFile``, which names the byte, the opcode or the import.
    static func run(_ bytes: UnsafeRawBufferPointer, place: String) throws -> PickleDocument {
        var interpreter = PickleInterpreter(bytes: bytes, place: place)
        guard bytes.count <= maximumByteCount else {
            throw ZipArchive.damaged(
                place, expected: "a pickle of at most \(maximumByteCount) bytes", found: "one of \(bytes.count)")
        }
        let root = try interpreter.run()
        return PickleDocument(root: root, objects: interpreter.objects, bytes: bytes)
    }

    private init(bytes: UnsafeRawBufferPointer, place: String) {
        self.bytes = bytes
        self.place = place
    }

    private mutating func run() throws -> PickleValue {
        guard try take(UInt8.self) == PickleOpcode.version.rawValue else {
            throw failure(expected: "a pickle of protocol 2", found: "none, or one of protocol 0 or 1")
        }
        let version = try take(UInt8.self)
        guard version == 2 else { throw failure(expected: "a pickle of protocol 2", found: "protocol \(version)") }
        while true {
            opcodeOffset = position
            let byte = try take(UInt8.self)
            guard let opcode = PickleOpcode(rawValue: byte), opcode != .version else {
                throw forbidden(PickleOpcode.describe(byte))
            }
            if opcode == .stop { return try finish() }
            try execute(opcode)
        }
    }

    private mutating func finish() throws -> PickleValue {
        let root = try pop()
        guard stack.isEmpty, marks.isEmpty, position == bytes.count else {
            throw failure(
                expected: "the end of the pickle",
                found: "\(stack.count) more values, \(marks.count) marks and \(bytes.count - position) bytes")
        }
        return root
    }

    private mutating func execute(_ opcode: PickleOpcode) throws {
        switch opcode {
        case .none: stack.append(.none)
        case .newTrue: stack.append(.bool(true))
        case .newFalse: stack.append(.bool(false))
        case .binaryInteger: stack.append(.integer(Int64(try take(Int32.self))))
        case .binaryInteger1: stack.append(.integer(Int64(try take(UInt8.self))))
        case .binaryInteger2: stack.append(.integer(Int64(try take(UInt16.self))))
        case .long1: stack.append(try long())
        case .binaryFloat:
            _ = try take(UInt64.self)
            stack.append(.other)
        case .unicode:
            let count = Int(try take(UInt32.self))
            let offset = try skip(count)
            stack.append(.text(offset: UInt32(offset), count: UInt32(count)))
        case .global: stack.append(.global(try global()))
        case .emptyTuple: stack.append(.tuple(offset: 0, count: 0))
        case .tuple1: try makeTuple(1)
        case .tuple2: try makeTuple(2)
        case .tuple3: try makeTuple(3)
        case .tuple: try makeTuple(try popMark())
        case .emptyList: stack.append(.list)
        case .emptyDictionary: stack.append(makeDictionary())
        case .mark: marks.append(stack.count)
        case .append:
            _ = try pop()
            try requireList()
        case .appends:
            stack.removeLast(try popMark())
            try requireList()
        case .setItem: try setItems(2)
        case .setItems: try setItems(try popMark())
        case .build:
            // What state dicts carry here is `_metadata`, versions of modules: nothing that weights depend on.
            _ = try pop()
            guard case .dictionary = try top() else {
                throw failure(expected: "a dictionary to set attributes of", found: try top().kind)
            }
        case .put: memo[UInt32(try take(UInt8.self))] = try top()
        case .longPut: memo[try take(UInt32.self)] = try top()
        case .get: stack.append(try recall(UInt32(try take(UInt8.self))))
        case .longGet: stack.append(try recall(try take(UInt32.self)))
        case .persistentIdentifier: stack.append(try storage(try pop()))
        case .reduce:
            let arguments = try pop()
            let function = try pop()
            guard case .global(let global) = function, case .tuple(let offset, let count) = arguments else {
                throw failure(
                    expected: "a call of an import with a tuple", found: "\(function.kind) and \(arguments.kind)")
            }
            stack.append(try call(global, Int(offset)..<Int(offset) + Int(count)))
        case .version, .stop: break  // handled where opcodes are read
        }
    }

    // MARK: The stack

    /// The lowest place that may be popped: what lies under the last mark is out of reach.
    private var floor: Int { marks.last ?? 0 }

    private mutating func pop() throws -> PickleValue {
        guard stack.count > floor else { throw underflow() }
        return stack.removeLast()
    }

    private func top() throws -> PickleValue {
        guard stack.count > floor else { throw underflow() }
        return stack[stack.count - 1]
    }

    /// Takes the last mark away and tells how many values stood above it.
    private mutating func popMark() throws -> Int {
        guard let height = marks.popLast() else { throw failure(expected: "a mark", found: "none on the stack") }
        return stack.count - height
    }

    private mutating func makeTuple(_ count: Int) throws {
        guard stack.count - floor >= count else { throw underflow() }
        let offset = objects.tupleElements.count
        objects.tupleElements.append(contentsOf: stack.suffix(count))
        stack.removeLast(count)
        stack.append(.tuple(offset: UInt32(offset), count: UInt32(count)))
    }

    private mutating func setItems(_ count: Int) throws {
        guard stack.count - floor > count else { throw underflow() }
        guard count.isMultiple(of: 2) else { throw failure(expected: "keys and values", found: "a key alone") }
        let start = stack.count - count
        guard case .dictionary(let index) = stack[start - 1] else {
            throw failure(expected: "a dictionary to set items of", found: stack[start - 1].kind)
        }
        for place in stride(from: start, to: stack.count, by: 2) {
            objects.dictionaries[index].append(.init(key: stack[place], value: stack[place + 1]))
        }
        stack.removeLast(count)
    }

    private func requireList() throws {
        guard case .list = try top() else { throw failure(expected: "a list to append to", found: try top().kind) }
    }

    private func recall(_ index: UInt32) throws -> PickleValue {
        guard let value = memo[index] else {
            throw failure(expected: "a value remembered as \(index)", found: "none")
        }
        return value
    }

    // MARK: Bytes

    private mutating func take<Number: FixedWidthInteger & BitwiseCopyable>(_ type: Number.Type) throws -> Number {
        guard let number = bytes.littleEndian(type, at: position) else { throw cutShort() }
        position += MemoryLayout<Number>.size
        return number
    }

    /// Passes `count` bytes and tells where they begin.
    private mutating func skip(_ count: Int) throws -> Int {
        guard count <= bytes.count - position else { throw cutShort() }
        defer { position += count }
        return position
    }

    /// A whole number of up to 255 bytes in two's complement, the lowest first.
    private mutating func long() throws -> PickleValue {
        let count = Int(try take(UInt8.self))
        let start = try skip(count)
        guard count <= 8 else { return .other }
        var bits: UInt64 = count > 0 && bytes[start + count - 1] & 0x80 != 0 ? .max : 0
        for place in (0..<count).reversed() { bits = bits << 8 | UInt64(bytes[start + place]) }
        return .integer(Int64(bitPattern: bits))
    }

    private mutating func global() throws -> PickleGlobal {
        let module = try line()
        let name = try line()
        guard let global = PickleGlobal(rawValue: "\(module) \(name)") else {
            throw forbidden("GLOBAL \(JSONValue.quoted("\(module).\(name)"))")
        }
        return global
    }

    /// The bytes up to the next line end, which must be near: names are short.
    private mutating func line() throws -> String {
        let longest = 200
        let end = bytes[position..<min(bytes.count, position + longest)].firstIndex(of: UInt8(ascii: "\n"))
        guard let end else { throw failure(expected: "a name of at most \(longest) bytes", found: "a longer one") }
        defer { position = end + 1 }
        return String(decoding: bytes[position..<end], as: UTF8.self)
    }

    // MARK: Errors

    func failure(expected: String, found: String) -> VernierError {
        ZipArchive.damaged("\(place), byte \(opcodeOffset)", expected: expected, found: found)
    }

    private func forbidden(_ what: String) -> VernierError {
        VernierError(
            .malformedFile, at: "\(place), byte \(opcodeOffset)", expected: "what dictionaries of tensors are made of",
            found: what,
            remedy: "Vernier runs no code from a checkpoint: load the file where you trust it, and save its state "
                + "dict alone.")
    }

    private func underflow() -> VernierError { failure(expected: "a value on the stack", found: "none") }

    private func cutShort() -> VernierError {
        failure(expected: "more bytes", found: "the end of the pickle at byte \(bytes.count)")
    }
}
