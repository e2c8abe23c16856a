import VernierCore

/// A safetensors file, mapped into memory: opening reads only the header, tensors are paged in when they are used.
public final class SafetensorsFile: FileTensorSource {
    /// The file's name without its folders.
    public let sourceName: String
    /// The file's path as given.
    public let path: String
    /// The free texts of the header's `__metadata__`; empty if there are none.
    public let metadata: [String: String]
    /// All tensors by name. A view keeps the map alive, also beyond the life of this object.
    public let tensors: [String: TensorView]
    public let tensorNames: [String]
    public let files: [OpenedFile]

    /// Opens the file and checks its header completely; see <doc:ModelDirectory> for where such files stand.
    ///
    /// The checks: header within the file and below 100 MB, known element types, sizes equal to shape times element
    /// size without overflow, tensors tiling the file without holes and overlaps, distinct names, no unknown members.
    /// The tensors' content is not read.
    ///
    /// Throws ``VernierError/Code/fileAccess`` or ``VernierError/Code/malformedFile``.
    public convenience init(path: String) throws {
        let file = try MappedFile(path: path)
        try self.init(file.bytes, owner: file, name: file.name, path: path, identity: file.identity)
    }

    /// Reads the file's content from `bytes`, which `owner` keeps valid.
    init(
        _ bytes: UnsafeRawBufferPointer, owner: AnyObject, name: String, path: String = "",
        identity: FileIdentity? = nil
    ) throws {
        let header = try withExtendedLifetime(owner) { try SafetensorsHeader(bytes, name: name) }
        let data = UnsafeRawBufferPointer(rebasing: bytes[header.dataStart...])
        var tensors = [String: TensorView](minimumCapacity: header.entries.count)
        for entry in header.entries {
            tensors[entry.name] = TensorView(
                name: entry.name, source: name, elementType: entry.elementType, shape: entry.shape,
                bytes: UnsafeRawBufferPointer(rebasing: data[entry.offsets]), owner: owner)
        }
        self.sourceName = name
        self.path = path
        files = identity.map { [OpenedFile(path: path, identity: $0)] } ?? []
        self.metadata = header.metadata
        self.tensors = tensors
        self.tensorNames = tensors.keys.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
    }

    public func tensor(_ name: String) -> TensorView? { tensors[name] }
}
