import CHDF5Shim
import VernierCore

/// Reading with every type, extent and storage checked before memory is taken. What is not as the format says throws
/// ``VernierError/Code/malformedFile``; links out of the file are never followed.
extension HDF5Session {
    /// Opens a file for reading; returns it.
    func openFile(_ path: String) throws -> hid_t {
        let access = try list(vernier_h5_file_access())
        try check(vernier_h5_prepare_access(access), .fileAccess, "prepare the file")
        return try keep(H5Fopen(path, vernier_h5_read_only(), access), .malformedFile, "open the file as HDF5")
    }

    /// Opens the group `name`; returns it.
    func openGroup(_ name: String, in location: hid_t) throws -> hid_t {
        try requireHardLink(name, "group", in: location)
        return try keep(
            H5Gopen2(location, name, vernier_h5_default()), .malformedFile, "open the group '\(name)'")
    }

    /// Whether there is an attribute `name`.
    func hasAttribute(_ name: String, of object: hid_t) throws -> Bool {
        let found = H5Aexists(object, name)
        try check(found, .malformedFile, "look for the attribute '\(name)'")
        return found > 0
    }

    /// Reads a scalar attribute.
    func readAttribute<Number: HDF5Number>(_ name: String, of object: hid_t, as _: Number.Type) throws -> Number {
        let values: [Number] = try readAttribute(name, of: object) { $0.isEmpty ? nil : "a scalar" }
        return values[0]
    }

    /// Reads an attribute of `[n]` or, with `columns`, `[n, columns]` numbers; n from 1 to ``longestList``.
    func readListAttribute<Number: HDF5Number>(
        _ name: String, columns: Int? = nil, of object: hid_t, as _: Number.Type
    ) throws -> [Number] {
        try readAttribute(name, of: object) { shape in
            let fits = shape.first.map { (1...Self.longestList).contains($0) } ?? false
            let expected = columns.map { "[n, \($0)]" } ?? "[n]"
            return fits && Array(shape.dropFirst()) == (columns.map { [$0] } ?? [])
                ? nil : "the shape \(expected) with n from 1 to \(Self.longestList)"
        }
    }

    /// Reads a scalar attribute of UTF-8 text.
    func readTextAttribute(_ name: String, of object: hid_t) throws -> String {
        let attribute = try openAttribute(name, of: object)
        let place = "the attribute '\(name)'"
        let type = try keep(H5Aget_type(attribute), .malformedFile, "read the type of \(place)")
        let width = try requireText(type, place)
        let shape = try shape(of: H5Aget_space(attribute), place)
        guard shape.isEmpty else { throw unexpected(place, expected: "a scalar", found: "the shape \(shape)") }
        let bytes: [UInt8] = try filled(width, zero: 0) {
            try check(H5Aread(attribute, type, $0), .malformedFile, "read \(place)")
        }
        return try text(bytes[...], place)
    }

    /// Reads a data set of numbers of exactly this shape.
    func readDataset<Number: HDF5Number>(
        _ name: String, shape expected: [Int], in location: hid_t, zero: Number
    ) throws -> [Number] {
        let place = "the data set '\(name)'"
        let dataset = try openDataset(name, in: location)
        let type = try keep(H5Dget_type(dataset), .malformedFile, "read the type of \(place)")
        guard H5Tequal(type, Number.fileType) > 0 else {
            throw unexpected(place, expected: Number.typeName, found: "another type")
        }
        let bytesPerValue = MemoryLayout<Number>.size
        try requireStorage(dataset, shape: expected, bytesPerValue: bytesPerValue, place)
        return try filled(expected.reduce(1, *), zero: zero) {
            let all = vernier_h5_all()
            try check(
                H5Dread(dataset, Number.memoryType, all, all, vernier_h5_default(), $0), .malformedFile,
                "read \(place)")
        }
    }

    /// Reads a data set of exactly `count` texts.
    func readTexts(_ name: String, count: Int, in location: hid_t) throws -> [String] {
        let place = "the data set '\(name)'"
        let dataset = try openDataset(name, in: location)
        let type = try keep(H5Dget_type(dataset), .malformedFile, "read the type of \(place)")
        let width = try requireText(type, place)
        try requireStorage(dataset, shape: [count], bytesPerValue: width, place)
        let bytes: [UInt8] = try filled(count * width, zero: 0) {
            let all = vernier_h5_all()
            try check(
                H5Dread(dataset, type, all, all, vernier_h5_default(), $0), .malformedFile, "read \(place)")
        }
        return try (0..<count).map { try text(bytes[$0 * width..<($0 + 1) * width], place) }
    }

    // MARK: - Checks

    private func readAttribute<Number: HDF5Number>(
        _ name: String, of object: hid_t, problem: (_ shape: [Int]) -> String?
    ) throws -> [Number] {
        let attribute = try openAttribute(name, of: object)
        let place = "the attribute '\(name)'"
        let type = try keep(H5Aget_type(attribute), .malformedFile, "read the type of \(place)")
        guard H5Tequal(type, Number.fileType) > 0 else {
            throw unexpected(place, expected: Number.typeName, found: "another type")
        }
        let shape = try shape(of: H5Aget_space(attribute), place)
        if let expected = problem(shape) {
            throw unexpected(place, expected: expected, found: "the shape \(shape)")
        }
        let count = shape.reduce(1, *)
        return try withUnsafeTemporaryAllocation(of: Number.self, capacity: count) { values in
            try check(H5Aread(attribute, Number.memoryType, values.baseAddress), .malformedFile, "read \(place)")
            return Array(values)
        }
    }

    private func openAttribute(_ name: String, of object: hid_t) throws -> hid_t {
        guard H5Aexists(object, name) > 0 else {
            throw unexpected("the attributes", expected: "the attribute '\(name)'", found: "none of that name")
        }
        return try keep(
            H5Aopen(object, name, vernier_h5_default()), .malformedFile, "open the attribute '\(name)'")
    }

    private func openDataset(_ name: String, in location: hid_t) throws -> hid_t {
        try requireHardLink(name, "data set", in: location)
        return try keep(
            H5Dopen2(location, name, vernier_h5_default()), .malformedFile, "open the data set '\(name)'")
    }

    private func requireHardLink(_ name: String, _ kind: String, in location: hid_t) throws {
        guard vernier_h5_is_hard_link(location, name) == 1 else {
            throw unexpected("the objects", expected: "the \(kind) '\(name)' in this file", found: "none of that name")
        }
    }

    /// Checks that a type is text of fixed width; returns the width in bytes.
    private func requireText(_ type: hid_t, _ place: String) throws -> Int {
        let width = Int(clamping: H5Tget_size(type))
        guard H5Tget_class(type) == H5T_STRING, H5Tis_variable_str(type) == 0, (1...Self.longestString).contains(width)
        else {
            throw unexpected(
                place, expected: "text of a fixed width up to \(Self.longestString) bytes", found: "another type")
        }
        return width
    }

    /// The extents of a data space, which this takes charge of; empty for a scalar.
    private func shape(of space: hid_t, _ place: String) throws -> [Int] {
        let space = try keep(space, .malformedFile, "read the extents of \(place)")
        let kind = H5Sget_simple_extent_type(space)
        let rank = Int(H5Sget_simple_extent_ndims(space))
        guard kind == H5S_SCALAR || kind == H5S_SIMPLE, rank >= 0 else {
            throw unexpected(place, expected: "a scalar or an array", found: "no extents")
        }
        guard rank > 0 else { return [] }
        var extents = [hsize_t](repeating: 0, count: rank)
        guard H5Sget_simple_extent_dims(space, &extents, nil) == rank else {
            throw unexpected(place, expected: "\(rank) extents", found: "others")
        }
        return extents.map { Int(clamping: $0) }
    }

    /// Checks a data set's extents and that exactly its values' bytes lie in this file.
    private func requireStorage(_ dataset: hid_t, shape expected: [Int], bytesPerValue: Int, _ place: String) throws {
        let found = try shape(of: H5Dget_space(dataset), place)
        guard found == expected else {
            throw unexpected(place, expected: "the shape \(expected)", found: "\(found)")
        }
        guard vernier_h5_is_plain_storage(dataset) == 1 else {
            throw unexpected(
                place, expected: "one run of unfiltered bytes in this file", found: "another kind of storage")
        }
        let bytes = expected.reduce(bytesPerValue, *)
        let stored = H5Dget_storage_size(dataset)
        guard stored == UInt64(bytes) else {
            throw unexpected(place, expected: "\(bytes) stored bytes", found: "\(stored)")
        }
    }

    /// An array of `count` values that `fill` writes.
    private func filled<Value: BitwiseCopyable>(
        _ count: Int, zero: Value, _ fill: (UnsafeMutableRawPointer?) throws -> Void
    ) throws -> [Value] {
        var values = [Value](repeating: zero, count: count)
        try values.withUnsafeMutableBytes { if !$0.isEmpty { try fill($0.baseAddress) } }
        return values
    }

    private func text(_ bytes: ArraySlice<UInt8>, _ place: String) throws -> String {
        guard let text = String(validating: bytes.prefix { $0 != 0 }, as: UTF8.self) else {
            throw unexpected(place, expected: "UTF-8", found: "other bytes")
        }
        return text
    }

    private func unexpected(_ place: String, expected: String, found: String) -> VernierError {
        VernierError(
            .malformedFile, at: "\(fileName), \(place)", expected: expected, found: found,
            remedy: "This is no statistics file that Vernier wrote; calibrate again.")
    }
}
