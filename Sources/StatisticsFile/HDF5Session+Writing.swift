import CHDF5Shim
import VernierCore

/// Making files, groups, attributes and data sets. Everything throws ``VernierError/Code/fileAccess``.
extension HDF5Session {
    /// Makes a new file whose first `userBlockBytes` bytes HDF5 leaves alone; returns it.
    func createFile(_ path: String, userBlockBytes: Int) throws -> hid_t {
        let creation = try list(vernier_h5_file_create())
        try check(vernier_h5_prepare_group(creation), .fileAccess, "prepare the file")
        try check(H5Pset_userblock(creation, hsize_t(userBlockBytes)), .fileAccess, "reserve the user block")
        let access = try list(vernier_h5_file_access())
        try check(vernier_h5_prepare_access(access), .fileAccess, "prepare the file")
        return try keep(
            H5Fcreate(path, vernier_h5_create_exclusively(), creation, access), .fileAccess, "create the file")
    }

    /// Makes a group; returns it.
    func createGroup(_ name: String, in location: hid_t) throws -> hid_t {
        let creation = try list(vernier_h5_group_create())
        try check(vernier_h5_prepare_group(creation), .fileAccess, "prepare the group '\(name)'")
        let standard = vernier_h5_default()
        return try keep(
            H5Gcreate2(location, name, standard, creation, standard), .fileAccess, "create the group '\(name)'")
    }

    /// Writes an attribute of numbers; an empty shape makes a scalar.
    func writeAttribute<Number: HDF5Number>(
        _ name: String, _ values: [Number], shape: [Int] = [], to object: hid_t
    ) throws {
        let attribute = try createAttribute(name, type: Number.fileType, shape: shape, of: object)
        try check(H5Awrite(attribute, Number.memoryType, values), .fileAccess, "write the attribute '\(name)'")
    }

    /// Writes a scalar attribute of UTF-8 text.
    func writeAttribute(_ name: String, _ text: String, to object: hid_t) throws {
        let (bytes, width) = try Self.padded([text], what: name, fileName: fileName)
        let type = try stringType(bytes: width)
        let attribute = try createAttribute(name, type: type, shape: [], of: object)
        try check(H5Awrite(attribute, type, bytes), .fileAccess, "write the attribute '\(name)'")
    }

    /// Writes a data set of numbers, in one unfiltered run of bytes; returns it.
    @discardableResult
    func writeDataset<Number: HDF5Number>(
        _ name: String, _ values: [Number], shape: [Int], to location: hid_t
    ) throws -> hid_t {
        let dataset = try createDataset(name, type: Number.fileType, shape: shape, in: location)
        let all = vernier_h5_all()
        try check(
            H5Dwrite(dataset, Number.memoryType, all, all, vernier_h5_default(), values), .fileAccess,
            "write the data set '\(name)'")
        return dataset
    }

    /// Writes a data set of UTF-8 texts of the same width, padded with zero bytes; returns it.
    @discardableResult
    func writeDataset(_ name: String, _ texts: [String], to location: hid_t) throws -> hid_t {
        let (bytes, width) = try Self.padded(texts, what: name, fileName: fileName)
        let type = try stringType(bytes: width)
        let dataset = try createDataset(name, type: type, shape: [texts.count], in: location)
        let all = vernier_h5_all()
        try check(
            H5Dwrite(dataset, type, all, all, vernier_h5_default(), bytes), .fileAccess,
            "write the data set '\(name)'")
        return dataset
    }

    /// Hands everything written so far to the operating system.
    func flush(_ file: hid_t) throws { try check(H5Fflush(file, H5F_SCOPE_GLOBAL), .fileAccess, "write the file") }

    /// A property list of a class.
    func list(_ listClass: hid_t) throws -> hid_t {
        try keep(H5Pcreate(listClass), .fileAccess, "make a property list")
    }

    private func createAttribute(_ name: String, type: hid_t, shape: [Int], of object: hid_t) throws -> hid_t {
        let space = try space(shape)
        return try keep(
            H5Acreate2(object, name, type, space, vernier_h5_default(), vernier_h5_default()), .fileAccess,
            "create the attribute '\(name)'")
    }

    private func createDataset(_ name: String, type: hid_t, shape: [Int], in location: hid_t) throws -> hid_t {
        let creation = try list(vernier_h5_dataset_create())
        try check(vernier_h5_prepare_object(creation), .fileAccess, "prepare the data set '\(name)'")
        let space = try space(shape)
        let standard = vernier_h5_default()
        return try keep(
            H5Dcreate2(location, name, type, space, standard, creation, standard), .fileAccess,
            "create the data set '\(name)'")
    }

    private func space(_ shape: [Int]) throws -> hid_t {
        guard !shape.isEmpty else { return try keep(H5Screate(H5S_SCALAR), .fileAccess, "make a data space") }
        return try keep(
            H5Screate_simple(Int32(shape.count), shape.map { hsize_t($0) }, nil), .fileAccess, "make a data space")
    }

    private func stringType(bytes: Int) throws -> hid_t {
        let type = try keep(H5Tcopy(vernier_h5_c_string()), .fileAccess, "make a string type")
        try check(H5Tset_size(type, bytes), .fileAccess, "make a string type")
        try check(H5Tset_cset(type, H5T_CSET_UTF8), .fileAccess, "make a string type")
        try check(H5Tset_strpad(type, H5T_STR_NULLPAD), .fileAccess, "make a string type")
        return type
    }

    /// The UTF-8 of texts, each padded with zero bytes to the width of the longest (at least 1).
    private static func padded(
        _ texts: [String], what: String, fileName: String
    ) throws -> (bytes: [UInt8], width: Int) {
        let width = max(texts.map(\.utf8.count).max() ?? 1, 1)
        guard width <= longestString, !texts.contains(where: { $0.utf8.contains(0) }) else {
            throw VernierError(
                .invalidArgument, at: "\(fileName), '\(what)'",
                expected: "at most \(longestString) bytes of text without a zero byte", found: "other text")
        }
        let bytes = texts.flatMap { Array($0.utf8) + Array(repeating: 0, count: width - $0.utf8.count) }
        return (bytes, width)
    }
}
