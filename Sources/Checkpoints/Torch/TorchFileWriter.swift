import VernierCore

/// Writes a torch `.pth` file tensor by tensor, without holding more than one of them.
///
/// The file is a state dict as `torch.save` writes it: a zip archive of stored entries, each storage at a multiple of 64
/// bytes, and a pickle of protocol 2 with a flat ordered dictionary; `torch.load(weights_only=True)` reads it. Every
/// tensor gets a storage of its own. The same tensors in the same order give the same bytes. The pickle stands after the
/// storages, because it names them all; readers find it by its name.
public struct TorchFileWriter: ~Copyable {
    private static let folder = "archive"

    private var zip: ZipWriter
    private var pickler: StateDictPickler
    private var names: Set<String> = []

    /// Writes the file atomically: `body` adds the tensors, in the order in which the dictionary will hold them.
    ///
    /// With a `key` the dictionary is not the file's top level but the member `key` of a plain dictionary, as `vae` is
    /// in Infinity's tokeniser files. Throws ``VernierError/Code/fileAccess``, and what `body` throws; no file is left
    /// behind then.
    public static func write(
        to path: String, under key: String? = nil, _ body: (inout TorchFileWriter) throws -> Void
    ) throws {
        try write(to: path, under: key, alwaysZip64: false, body)
    }

    static func write(
        to path: String, under key: String? = nil, alwaysZip64: Bool, _ body: (inout TorchFileWriter) throws -> Void
    ) throws {
        try AtomicFile.replace(path) { temporary in
            var writer = TorchFileWriter(
                zip: ZipWriter(try OutputFile(creating: temporary, for: path), alwaysZip64: alwaysZip64),
                pickler: StateDictPickler(under: key))
            try body(&writer)
            try writer.finish()
        }
    }

    private init(zip: consuming ZipWriter, pickler: StateDictPickler) {
        self.zip = zip
        self.pickler = pickler
    }

    /// Writes a tensor; throws ``VernierError/Code/invalidArgument`` if its name is taken.
    public mutating func add(_ tensor: TensorView) throws {
        guard let storage = PickleGlobal(storing: tensor.elementType), names.insert(tensor.name).inserted else {
            throw VernierError(
                .invalidArgument, at: "torch file writer", expected: "distinct tensor names",
                found: "'\(tensor.name)' twice")
        }
        let key = "\(names.count - 1)"
        try tensor.withBytes { try zip.add("\(Self.folder)/data/\(key)", $0) }
        tensor.release()
        pickler.add(tensor.name, storage, shape: tensor.shape, key: key)
    }

    private mutating func finish() throws {
        try zip.add("\(Self.folder)/data.pkl", pickler.finished())
        try zip.add("\(Self.folder)/byteorder", Array("little".utf8))
        try zip.add("\(Self.folder)/version", Array("3\n".utf8))
        try zip.finish()
    }
}
