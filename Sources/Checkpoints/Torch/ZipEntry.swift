/// One stored file of a zip archive, as the central directory tells of it.
struct ZipEntry: Sendable {
    /// The entry's whole name, folders included.
    let name: String
    /// The name's length as stored; another one than the text's where the name is no UTF-8.
    let nameByteCount: Int
    /// Where the entry's local header begins in the archive.
    let headerOffset: Int
    /// The size of its content.
    let byteCount: Int
    /// The first byte after ``headerOffset`` that belongs to something else: the next entry or the directory.
    var limit: Int

    /// The length of a local header's fixed part.
    static let headerByteCount = 30
}
