import TestSupport
import Testing
import VernierCore

@testable import Checkpoints

/// A pickle that must be refused, and a part of the message.
struct HostilePickle: Sendable, CustomTestStringConvertible {
    let what: String
    let bytes: [UInt8]
    let message: String
    var testDescription: String { what }

    init(_ what: String, _ bytes: [UInt8], _ message: String) {
        self.what = what
        self.bytes = bytes
        self.message = message
    }

    /// A pickle whose only value is made by `body`, between the start and the end.
    init(_ what: String, body: [UInt8], _ message: String) {
        self.init(what, PickleText.start + body + PickleText.stop, message)
    }

    /// A dictionary with the tensor "x", which `tensor` makes.
    init(_ what: String, tensor: [UInt8], _ message: String) {
        self.init(what, PickleText.document([("x", tensor)]), message)
    }
}

private typealias P = PickleText
private let four = P.storage("0", 4)  // the storage that every file here has: four single-precision numbers
private let x = P.text("x")

private let hostilePickles: [HostilePickle] = [
    HostilePickle("empty", [], "byte 0: expected more bytes"),
    HostilePickle("protocol 0", Array("(dp0\n.".utf8), "expected a pickle of protocol 2"),
    HostilePickle("protocol 3", P.join([0x80, 3], P.dictionary, P.stop), "found protocol 3"),
    HostilePickle(
        "protocol twice", body: P.join([0x80, 2], P.dictionary), "byte 2: expected what dictionaries of tensors"),
    HostilePickle(
        "no end", P.join(P.start, P.dictionary), "byte 3: expected more bytes, found the end of the pickle at byte 3"),
    HostilePickle("bytes after the end", P.join(P.start, P.dictionary, P.stop, [0]), "expected the end of the pickle"),
    HostilePickle("nothing at the end", P.join(P.start, P.stop), "byte 2: expected a value on the stack, found none"),
    HostilePickle(
        "two values at the end", body: P.join(P.dictionary, P.dictionary), "expected the end of the pickle, found 1"),
    HostilePickle("a mark at the end", body: P.join(P.mark, P.dictionary), "found 0 more values, 1 marks"),
    HostilePickle("no dictionary", body: P.none, "expected a dictionary of tensors, found None"),
    HostilePickle("a tensor alone", body: P.tensor(four, shape: [4], strides: [1]), "found a tensor"),
    // Imports and opcodes.
    HostilePickle(
        "os.system", body: P.join(P.global("posix", "system"), P.tuple([P.text("true")]), P.reduce),
        "byte 2: expected what dictionaries of tensors are made of, found GLOBAL \"posix.system\""),
    HostilePickle("eval", tensor: P.global("builtins", "eval"), "GLOBAL \"builtins.eval\""),
    HostilePickle("an import only mentioned", tensor: P.global("torch", "load"), "GLOBAL \"torch.load\""),
    HostilePickle("a name with a space", tensor: P.global("torch Tensor", "x"), "GLOBAL \"torch Tensor.x\""),
    HostilePickle("a name split elsewhere", tensor: P.global("", "torch Tensor"), "GLOBAL \".torch Tensor\""),
    HostilePickle("an untyped storage", tensor: P.storage("0", 4, type: "UntypedStorage"), "torch.UntypedStorage"),
    HostilePickle(
        "an endless name", P.join(P.start, Array("c".utf8), [UInt8](repeating: 97, count: 1_000_000)),
        "expected a name of at most 200 bytes"),
    HostilePickle("STACK_GLOBAL", body: P.join(P.text("os"), P.text("system"), [0x93]), "opcode 0x93 (STACK_GLOBAL)"),
    HostilePickle("INST", body: P.join(P.mark, Array("ios\nsystem\n".utf8)), "byte 3: expected what dictionaries"),
    HostilePickle("OBJ", body: P.join(P.mark, Array("o".utf8)), "opcode 0x6f (OBJ)"),
    HostilePickle("NEWOBJ", body: P.join(P.global("torch", "Tensor"), P.emptyTuple, [0x81]), "opcode 0x81 (NEWOBJ)"),
    HostilePickle("EXT1", body: [0x82, 1], "opcode 0x82 (EXT1)"),
    HostilePickle("FRAME", body: [0x95, 0, 0, 0, 0, 0, 0, 0, 0], "opcode 0x95 (FRAME)"),
    HostilePickle(
        "no opcode", body: [0xFF], "byte 2: expected what dictionaries of tensors are made of, found opcode 0xff."),
    HostilePickle("opcode 0", body: [0], "opcode 0x00"),
    // The stack.
    HostilePickle("TUPLE2 of one", body: P.join(P.none, [0x86]), "expected a value on the stack"),
    HostilePickle("TUPLE1 across a mark", body: P.join(P.none, P.mark, [0x85]), "expected a value on the stack"),
    HostilePickle("TUPLE without a mark", body: P.join(P.none, P.tuple), "expected a mark, found none"),
    HostilePickle("PUT of nothing", body: P.put(0), "expected a value on the stack"),
    HostilePickle("PUT of a mark", body: P.join(P.dictionary, P.mark, P.put(0)), "expected a value on the stack"),
    HostilePickle("GET of nothing", body: P.get(0), "expected a value remembered as 0, found none"),
    HostilePickle("LONG_BINGET out of range", body: [0x6A, 255, 255, 255, 255], "remembered as 4294967295"),
    HostilePickle("LONG_BINPUT cut short", P.join(P.start, P.dictionary, [0x72, 0, 0]), "found the end of the pickle"),
    HostilePickle("SETITEM of nothing", body: P.setItem, "expected a value on the stack"),
    HostilePickle("SETITEM without a dictionary", body: x + x + P.setItem, "expected a value on the stack"),
    HostilePickle("SETITEM on a list", body: P.join([0x5D], x, x, P.setItem), "set items of, found a list"),
    HostilePickle("SETITEMS without a mark", body: P.join(P.dictionary, P.setItems), "expected a mark"),
    HostilePickle("SETITEMS of a key", body: P.join(P.dictionary, P.mark, x, P.setItems), "found a key alone"),
    HostilePickle("SETITEMS under the mark", body: P.join(P.mark, P.setItems), "expected a value on the stack"),
    HostilePickle("SETITEMS on a tuple", body: P.join(P.emptyTuple, P.mark, P.setItems), "found a tuple of 0"),
    HostilePickle("APPEND on a dictionary", body: P.join(P.dictionary, x, [0x61]), "expected a list to append to"),
    HostilePickle("APPENDS without a list", body: P.join(P.mark, x, [0x65]), "expected a value on the stack"),
    HostilePickle("BUILD on a text", body: x + P.dictionary + [0x62], "to set attributes of, found a text"),
    HostilePickle("BUILD of nothing", body: P.join(P.dictionary, [0x62]), "expected a value on the stack"),
    HostilePickle("REDUCE of a text", body: x + P.emptyTuple + P.reduce, "found a text and a tuple of 0"),
    HostilePickle("REDUCE without a tuple", body: P.join(P.rebuild, P.none, P.reduce), "found an import and None"),
    HostilePickle("REDUCE of nothing", body: P.reduce, "expected a value on the stack"),
    // Values.
    HostilePickle(
        "a text beyond the end", P.join(P.start, [0x58, 255, 255, 255, 255, 97]), "found the end of the pickle"),
    HostilePickle("a long number beyond the end", P.join(P.start, [0x8A, 200, 1]), "found the end of the pickle"),
    HostilePickle("a fraction beyond the end", P.join(P.start, [0x47, 1, 2]), "found the end of the pickle"),
    HostilePickle(
        "a name that is no UTF-8",
        body: P.join(P.dictionary, [0x58, 1, 0, 0, 0, 0xFF], P.tensor(four, shape: [4], strides: [1]), P.setItem),
        "expected names in UTF-8"),
    HostilePickle(
        "a name twice",
        P.document([
            ("x", P.tensor(four, shape: [4], strides: [1])), ("x", P.tensor(four, shape: [4], strides: [1])),
        ]), "expected distinct names, found \"x\" twice"),
    HostilePickle(
        "a name twice by dots",
        P.document([
            ("a.b", P.tensor(four, shape: [4], strides: [1])),
            ("a", P.join(P.dictionary, P.text("b"), P.tensor(four, shape: [4], strides: [1]), P.setItem)),
        ]), "expected distinct names, found \"a.b\" twice"),
    HostilePickle(
        "names equal under Unicode",
        P.document([
            ("\u{e9}", P.tensor(four, shape: [4], strides: [1])),
            ("e\u{301}", P.tensor(four, shape: [4], strides: [1])),
        ]), "expected distinct names"),
    // Storages and tensors.
    HostilePickle("a persistent text", body: x + P.persistent, "identifier, found a text"),
    HostilePickle(
        "an identifier of four",
        body: P.join(P.tuple([P.text("storage"), P.global("torch", "FloatStorage"), x, x]), P.persistent),
        "a tuple of 4"),
    HostilePickle(
        "an identifier of another kind",
        body: P.join(
            P.tuple([P.text("modules"), P.global("torch", "FloatStorage"), x, x, P.integer(1)]), P.persistent),
        "expected (\"storage\", storage class"),
    HostilePickle(
        "a storage of a function's type",
        body: P.join(P.tuple([P.text("storage"), P.rebuild, x, x, P.integer(1)]), P.persistent), "expected (\"storage\""
    ),
    HostilePickle("a negative storage", body: P.storage("0", -1), "the number -1"),
    HostilePickle(
        "a long key", body: P.storage(String(repeating: "k", count: 201), 1), "key of at most 200 bytes"),
    HostilePickle(
        "a storage of two types",
        P.document([("a", four), ("b", P.storage("0", 4, type: "IntStorage"))]),
        "one type and size for storage \"0\", found 4 elements of I32"),
    HostilePickle("a storage of two sizes", P.document([("a", four), ("b", P.storage("0", 5))]), "found 5 elements"),
    HostilePickle(
        "a storage that is not there", tensor: P.tensor(P.storage("7", 4), shape: [4], strides: [1]),
        "tensor \"x\": expected its storage, the entry \"archive/data/7\", found none"),
    HostilePickle(
        "a storage outside its folder", tensor: P.tensor(P.storage("../version", 4), shape: [4], strides: [1]),
        "the entry \"archive/data/../version\", found none"),
    HostilePickle(
        "a storage larger than its entry", tensor: P.tensor(P.storage("0", 5), shape: [1], strides: [1]),
        "expected 5 elements of F32 in its storage, found 16 bytes"),
    HostilePickle(
        "a storage smaller than its entry", tensor: P.tensor(P.storage("0", 3), shape: [1], strides: [1]),
        "expected 3 elements of F32"),
    HostilePickle(
        "a storage near 2^63", tensor: P.tensor(P.storage("0", .max), shape: [1], strides: [1]),
        "expected 9223372036854775807 elements"),
    HostilePickle(
        "a tensor beyond the storage", tensor: P.tensor(four, shape: [5], strides: [1]), "inside the storage's 4"),
    HostilePickle(
        "an offset beyond the storage", tensor: P.tensor(four, offset: 4, shape: [], strides: []),
        "expected elements inside the storage's 4, found shape [], strides [] from element 4 on"),
    HostilePickle(
        "a stride beyond the storage", tensor: P.tensor(four, shape: [2, 2], strides: [3, 1]), "strides [3, 1]"),
    HostilePickle(
        "an offset near 2^63", tensor: P.tensor(four, offset: .max, shape: [2], strides: [1]), "inside the storage's"),
    HostilePickle(
        "strides that overflow", tensor: P.tensor(four, shape: [3, 3], strides: [1 << 62, 1 << 62]),
        "inside the storage's"),
    HostilePickle(
        "a sum of strides that overflows",
        tensor: P.tensor(four, shape: [2, 2, 2], strides: [1 << 62, 1 << 62, 1 << 62]),
        "inside the storage's"),
    HostilePickle(
        "a shape that overflows", tensor: P.tensor(four, shape: [1 << 32, 1 << 32], strides: [0, 0]),
        "expected a size below 2^63 bytes"),
    HostilePickle(
        "one element repeated 2^40 times", tensor: P.tensor(four, shape: [1 << 40], strides: [0]),
        "expected tensors of at most 16 times the file's"),
    HostilePickle("a negative offset", tensor: P.tensor(four, offset: -1, shape: [1], strides: [1]), "for a tensor"),
    HostilePickle("a negative size", tensor: P.tensor(four, shape: [-1], strides: [1]), "sizes and strides from 0 on"),
    HostilePickle("a negative stride", tensor: P.tensor(four, shape: [1], strides: [-1]), "found the number -1"),
    HostilePickle(
        "fewer strides", tensor: P.tensor(four, shape: [1, 1], strides: [1]), "as many strides as sizes"),
    HostilePickle(
        "too many dimensions",
        tensor: P.tensor(four, shape: [Int64](repeating: 1, count: 33), strides: [Int64](repeating: 1, count: 33)),
        "at most 32, found 33 and 33"),
    HostilePickle("a tensor of a text", tensor: P.tensor(x, shape: [1], strides: [1]), "found a text, the number 0"),
    HostilePickle(
        "a tensor with metadata",  // conjugation or negation that is still to be done
        tensor: P.join(
            P.rebuild,
            P.tuple([
                four, P.integer(0), P.tuple([P.integer(1)]), P.tuple([P.integer(1)]), [0x89], P.ordered, P.dictionary,
            ]), P.reduce), "and 1 more"),
    HostilePickle(
        "a parameter of nothing",
        tensor: P.join(P.global("torch._utils", "_rebuild_parameter"), P.emptyTuple, P.reduce),
        "for a parameter, found nothing"),
    HostilePickle(
        "a class called", tensor: P.join(P.global("torch", "Tensor"), P.emptyTuple, P.reduce), "found a class"),
    HostilePickle(
        "an ordered dictionary of items",
        tensor: P.join(P.global("collections", "OrderedDict"), P.tuple([x]), P.reduce),
        "expected OrderedDict without arguments"),
    HostilePickle(
        "a rebuilding of a rebuilding",
        tensor: P.join(
            P.global("torch._tensor", "_rebuild_from_type_v2"),
            P.tuple([
                P.global("torch._tensor", "_rebuild_from_type_v2"), P.global("torch", "Tensor"), P.emptyTuple, P.none,
            ]), P.reduce), "expected a rebuilding function"),
]

@Suite("Torch pickles: what is refused")
struct TorchPickleHostileTests {
    private static let storage: [(key: String, content: [UInt8])] = [("0", [UInt8](repeating: 0, count: 16))]

    private func open(_ pickle: [UInt8]) throws -> TorchFile {
        try TorchFile(ZipText(pickle: pickle, storages: Self.storage).bytes, name: "hostile.pth")
    }

    @Test("A hostile pickle is refused and says why and where", arguments: hostilePickles)
    func refused(_ pickle: HostilePickle) throws {
        let error = try #require(throws: VernierError.self) { _ = try open(pickle.bytes) }
        #expect(error.code == .malformedFile)
        #expect(error.description.contains(pickle.message), "\(error)")
        #expect(error.place.hasPrefix("hostile.pth"), "\(error)")
    }

    @Test("The parts that the hostile pickles are made of are accepted where they are right")
    func accepted() throws {
        let typed =
            P.join(
                P.global("torch._tensor", "_rebuild_from_type_v2"),
                P.tuple([
                    P.rebuild, P.global("torch", "Tensor"), P.arguments(four, shape: [2], strides: [2]), P.dictionary,
                ]), P.reduce)
        let parameter =
            P.join(
                P.global("torch._utils", "_rebuild_parameter"),
                P.tuple([P.tensor(four, shape: [4], strides: [1]), [0x88], P.ordered]), P.reduce)
        let items: [(String, [UInt8])] = [
            ("plain", P.tensor(four, shape: [2, 2], strides: [2, 1])), ("typed", typed), ("parameter", parameter),
            ("list", P.join([0x5D], P.mark, P.none, P.integer(3), [0x65], P.none, [0x61])),
            (
                "numbers",
                P.tuple([
                    [0x8A, 0], P.join([0x8A, 9], Array(P.integer(1)[2...]), [1]),
                    P.join([0x47], [UInt8](repeating: 1, count: 8)),
                ])
            ),
            ("built", P.join(P.ordered, P.dictionary, P.text("_metadata"), P.ordered, P.setItem, [0x62])),
            ("far", P.join(P.none, [0x72, 255, 255, 255, 255, 0x6A, 255, 255, 255, 255, 0x86])),
        ]
        let file = try open(P.document(items.map { (key: $0.0, value: $0.1) }))
        #expect(file.tensorNames == ["parameter", "plain", "typed"])
    }

    @Test("A pickle cut at any byte is refused")
    func truncated() throws {
        let pickle = P.document([("x", P.tensor(four, shape: [2, 2], strides: [2, 1])), ("y", P.ordered)])
        try withEvery("byteCount", in: 0..<pickle.count) { count in
            #expect(throws: VernierError.self) { _ = try open(Array(pickle[..<count])) }
        }
        _ = try open(pickle)
    }

    @Test("A million nested values need no recursion")
    func depth() throws {
        let million = 1_000_000
        func repeated(_ bytes: [UInt8]) -> [UInt8] { (0..<million).flatMap { _ in bytes } }
        let tuples = P.join(P.emptyTuple, repeated([0x85]))
        #expect(try open(P.document([("deep", tuples)])).tensorNames == [])
        let marks = try #require(throws: VernierError.self) { _ = try open(P.join(P.start, repeated(P.mark), P.stop)) }
        #expect(marks.description.contains("expected a value on the stack"))
        let closed = repeated(P.mark) + repeated(P.tuple)
        #expect(try open(P.document([("deep", closed)])).tensorNames == [])
        // Dictionaries in dictionaries, each under the key None, which has no name, and under x, which has.
        let unnamed = repeated(P.dictionary + P.none) + P.none + repeated(P.setItem)
        #expect(try open(P.join(P.start, unnamed, P.stop)).tensorNames == [])
        let named = repeated(P.dictionary + [0x4B, 1]) + P.none + repeated(P.setItem)
        let deep = try #require(throws: VernierError.self) { _ = try open(P.join(P.start, named, P.stop)) }
        #expect(deep.description.contains("expected dictionaries nested at most 32 deep"))
    }

    @Test("A dictionary that contains itself is refused")
    func cycle() throws {
        let pickle = P.join(P.start, P.dictionary, P.put(0), P.text("me"), P.get(0), P.setItem, P.stop)
        let error = try #require(throws: VernierError.self) { _ = try open(pickle) }
        #expect(error.description.contains("nested at most 32 deep, found deeper ones at \"me.me."))
    }

    @Test("Dictionaries that unfold into 2^30 names are refused, with and without tensors in them")
    func unfolding() throws {
        for leaf in [P.tensor(four, shape: [4], strides: [1]), P.dictionary] {
            // {"a": d, "b": d}, where d is the same, 30 times.
            let start = (0..<30).flatMap { _ in P.join(P.dictionary, P.text("a")) }
            let end = (0..<30).flatMap { level in
                P.join(P.put(UInt8(level)), P.setItem, P.text("b"), P.get(UInt8(level)), P.setItem)
            }
            let error = try #require(throws: VernierError.self) {
                _ = try open(P.join(P.start, start, leaf, end, P.stop))
            }
            #expect(error.description.contains("expected at most "), "\(error)")
        }
    }

    @Test("Very many names of one tensor, long keys used again and again, and large views of one storage are refused")
    func sharing() throws {
        /// The tensor x, and that tensor again under numbers.
        func named(_ tensor: [UInt8], _ count: Int) -> [UInt8] {
            let again = (1..<count).flatMap { P.join(P.integer(Int64($0)), P.get(0)) }
            return P.join(
                P.start, P.dictionary, P.text("x"), tensor, P.put(0), P.setItem, P.mark, again, P.setItems, P.stop)
        }
        let names = try #require(throws: VernierError.self) {
            _ = try open(named(P.tensor(four, shape: [4], strides: [1]), 100_001))
        }
        #expect(names.description.contains("expected at most 100000 tensors, found more"))

        let key = P.join(P.text(String(repeating: "k", count: 1_000_000)), P.put(1))
        let open20 = (0..<20).flatMap { _ in P.join(P.dictionary, P.get(1)) }
        let nested = P.join(open20, P.none, (0..<20).flatMap { _ in P.setItem })
        let long = try #require(throws: VernierError.self) {
            _ = try open(P.join(P.start, P.dictionary, key, nested, P.setItem, P.stop))
        }
        #expect(long.description.contains("bytes of names, found more"))

        let content = [UInt8](repeating: 1, count: 1 << 20)
        let whole = P.tensor(P.storage("0", 1 << 20, type: "ByteStorage"), shape: [1 << 20], strides: [1])
        #expect(
            try TorchFile(ZipText(pickle: named(whole, 80), storages: [("0", content)]).bytes).tensorNames.count == 80)
        let views = try #require(throws: VernierError.self) {
            _ = try TorchFile(ZipText(pickle: named(whole, 90), storages: [("0", content)]).bytes)
        }
        #expect(views.description.contains("expected tensors of at most 16 times the file's"))
    }

    @Test("A pickle beyond the bound is refused before it is read")
    func size() throws {
        let pickle = [UInt8](repeating: 0x7D, count: PickleInterpreter.maximumByteCount + 1)
        let error = try #require(throws: VernierError.self) { _ = try open(pickle) }
        #expect(error.description.contains("expected a pickle of at most 16777216 bytes, found one of 16777217"))
    }

    @Test("The greatest pickle of the greediest opcodes is read in bounded memory")
    func greed() throws {
        // Every byte makes a dictionary, which costs the most.
        let dictionaries = [UInt8](repeating: 0x7D, count: PickleInterpreter.maximumByteCount - 3)
        let error = try #require(throws: VernierError.self) { _ = try open(P.join(P.start, dictionaries, P.stop)) }
        #expect(error.description.contains("more values"))
    }

    @Test("Damaged pickles never crash: they are refused, or every tensor is inside its storage")
    func flippedBytes() throws {
        let view = P.tensor(P.storage("0", 4), offset: 1, shape: [3], strides: [1])
        let pickle = P.document([
            ("x", P.tensor(four, shape: [2, 2], strides: [1, 2])),
            ("y", P.join(P.dictionary, P.text("z"), view, P.setItem)), ("n", P.tuple([P.none, P.put(3), P.get(3)])),
        ])
        var random = SplitMix64(seed: 11)
        var acceptedCount = 0
        let rounds = fuzzRounds(5_000)
        for _ in 0..<rounds {
            var damaged = pickle
            for _ in 0..<random.integer(in: 1..<4) {
                let place = random.integer(in: 0..<damaged.count)
                switch random.integer(in: 0..<4) {
                case 0: damaged[place] = UInt8(random.integer(in: 0..<256))
                case 1: damaged[place] ^= 1 << UInt8(random.integer(in: 0..<8))
                case 2: damaged.remove(at: place)
                default: damaged.insert(damaged[random.integer(in: 0..<damaged.count)], at: place)
                }
            }
            guard let file = try? open(damaged) else { continue }
            acceptedCount += 1
            for name in file.tensorNames {
                _ = try file.view(name).withBytes { $0.reduce(UInt8(0), ^) }
            }
        }
        #expect(acceptedCount > 0 && acceptedCount < rounds)
    }
}
