import VernierCore

/// A file of `torch.save` (zip format, PyTorch 1.6 and later), mapped into memory and read without Python.
///
/// Opening reads the table of contents and the pickle, and runs no code (see <doc:CheckpointFormats> for what is
/// understood); weights are paged in when they are used, so that of nested dictionaries such as
/// `{"vae": {...}, "optimizer": {...}}` only the part that is asked for costs anything. Tensors of nested dictionaries
/// are named by the keys on the way, joined by dots: `vae.decoder.conv_in.weight`; ``TensorSource/tensors(under:)``
/// shows one dictionary alone. Whatever is no tensor is passed over.
///
/// A tensor that lies in its storage one element after the other is shown where it stands, tensors that share a
/// storage too; any other (a transposed or an expanded one) is gathered into memory each time it is asked for.
public final class TorchFile: FileTensorSource {
    /// The file's name without its folders.
    public let sourceName: String
    /// The file's path as given.
    public let path: String
    public let tensorNames: [String]
    public let files: [OpenedFile]

    private let archive: ZipArchive
    private let tensors: [String: TorchTensor]

    /// How many times the file's size, ``allowance`` aside, all tensors together may have: tensors may share storages
    /// and repeat elements, and a small file must not unfold into a huge one.
    static let maximumExpansion = 16
    /// The bytes that tensors may have whatever the file's size.
    static let allowance = 64 << 20

    /// Opens the file and checks everything but the weights themselves.
    ///
    /// The checks: stored zip entries that do not overlap, a pickle of the permitted opcodes and imports only, every
    /// named tensor inside its storage, every storage of the size of its entry, distinct names, little-endian bytes.
    ///
    /// Throws ``VernierError/Code/fileAccess``, ``VernierError/Code/malformedFile`` (also for forbidden opcodes and
    /// imports), and ``VernierError/Code/unsupportedVersion`` for big-endian bytes or a newer format.
    public convenience init(path: String) throws {
        let file = try MappedFile(path: path)
        try self.init(file.bytes, owner: file, name: file.name, path: path, identity: file.identity)
    }

    /// Reads the file's content from `bytes`, which `owner` keeps valid.
    init(
        _ bytes: UnsafeRawBufferPointer, owner: AnyObject, name: String, path: String = "",
        identity: FileIdentity? = nil
    ) throws {
        let archive = try ZipArchive(bytes, owner: owner, name: name)
        tensors = try withExtendedLifetime(owner) { try Self.tensors(of: archive, name) }
        sourceName = name
        self.path = path
        files = identity.map { [OpenedFile(path: path, identity: $0)] } ?? []
        self.archive = archive
        tensorNames = tensors.keys.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
    }

    public func tensor(_ name: String) throws -> TensorView? {
        guard let tensor = tensors[name] else { return nil }
        let storage = try archive.content(of: tensor.entry)
        guard tensor.isContiguous else {
            let copy = withExtendedLifetime(archive) { tensor.gathered(from: storage) }
            TensorView(
                name: name, source: sourceName, elementType: .u8, shape: [storage.count], bytes: storage,
                owner: archive.owner
            ).release()
            return view(tensor, copy.bytes, owner: copy)
        }
        return view(tensor, UnsafeRawBufferPointer(rebasing: storage[tensor.byteRange]), owner: archive.owner)
    }

    private func view(_ tensor: TorchTensor, _ bytes: UnsafeRawBufferPointer, owner: AnyObject) -> TensorView {
        TensorView(
            name: tensor.name, source: sourceName, elementType: tensor.elementType, shape: tensor.shape, bytes: bytes,
            owner: owner)
    }

    // MARK: Opening

    private static func tensors(of archive: ZipArchive, _ name: String) throws -> [String: TorchTensor] {
        let pickles = archive.entries.values.filter { $0.name == "data.pkl" || $0.name.hasSuffix("/data.pkl") }
        guard pickles.count == 1, let pickle = pickles.first else {
            throw ZipArchive.damaged(name, expected: "one entry data.pkl", found: "\(pickles.count)")
        }
        let prefix = String(pickle.name.dropLast("data.pkl".count))
        try checkByteOrder(archive, prefix)
        try checkVersion(archive, prefix)
        let document = try PickleInterpreter.run(archive.content(of: pickle), place: "\(name), data.pkl")
        let walk = try TorchNameWalk(document, place: "\(name), data.pkl")
        var tensors = [String: TorchTensor](minimumCapacity: walk.tensors.count)
        var byteCount = 0
        for (tensorName, index) in walk.tensors {
            let tensor = try tensor(tensorName, document.objects, index, archive, prefix)
            let (sum, overflow) = byteCount.addingReportingOverflow(tensor.byteCount)
            guard !overflow, (sum - min(sum, allowance)) / maximumExpansion <= archive.byteCount else {
                throw ZipArchive.damaged(
                    name,
                    expected: "tensors of at most \(maximumExpansion) times the file's \(archive.byteCount) bytes",
                    found: "more")
            }
            byteCount = sum
            tensors[tensorName] = tensor
        }
        return tensors
    }

    private static func tensor(
        _ tensorName: String, _ objects: PickleObjects, _ index: Int, _ archive: ZipArchive, _ prefix: String
    ) throws -> TorchTensor {
        let described = objects.tensors[index]
        let storage = objects.storages[described.storage]
        let place = "\(archive.name), tensor \(JSONValue.quoted(tensorName))"
        guard let entry = archive.entries["\(prefix)data/\(storage.key)"] else {
            throw ZipArchive.damaged(
                place, expected: "its storage, the entry \(JSONValue.quoted("\(prefix)data/\(storage.key)"))",
                found: "none")
        }
        return try TorchTensor(
            name: tensorName, shape: objects.integers(described.sizes), strides: objects.integers(described.strides),
            elementOffset: described.elementOffset, storage: storage, entry: entry, place: place)
    }

    private static func checkByteOrder(_ archive: ZipArchive, _ prefix: String) throws {
        guard let entry = archive.entries["\(prefix)byteorder"] else { return }  // older files are little-endian
        let text = try text(of: entry, in: archive)
        guard text == "little" else {
            throw VernierError(
                .unsupportedVersion, at: archive.place(entry), expected: "\"little\"", found: JSONValue.quoted(text),
                remedy: "Load the file with torch.load and save it again on a little-endian machine.")
        }
    }

    private static func checkVersion(_ archive: ZipArchive, _ prefix: String) throws {
        guard let entry = archive.entries["\(prefix)version"] else { return }
        let text = try text(of: entry, in: archive)
        guard let version = Int(text), (1...10).contains(version) else {
            throw VernierError(
                .unsupportedVersion, at: archive.place(entry), expected: "a version from 1 to 10",
                found: JSONValue.quoted(text), remedy: "Use a version of Vernier that knows this one of torch's format."
            )
        }
    }

    /// The first bytes of an entry as text, without the line end.
    private static func text(of entry: ZipEntry, in archive: ZipArchive) throws -> String {
        let content = try archive.content(of: entry).prefix(20)
        let end = content.last == UInt8(ascii: "\n") ? content.endIndex - 1 : content.endIndex
        return String(decoding: content[content.startIndex..<end], as: UTF8.self)
    }
}
