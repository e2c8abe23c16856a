import ArgumentParser
import Foundation
import VernierCore

/// Throws a usage error unless `value` is at least `least`.
func requireAtLeast(_ least: Int, _ value: Int?, option: String) throws {
    if let value, value < least {
        throw ValidationError("\(option): expected a whole number of at least \(least), found \(value).")
    }
}

/// Throws ``VernierError/Code/fileAccess`` unless a file can be made at `path`: before the work, not after it.
func requirePlace(forFile path: String) throws {
    let url = URL(fileURLWithPath: path)
    let parent = url.deletingLastPathComponent().path
    guard isFolder(parent) == true, access(parent, W_OK) == 0 else {
        throw VernierError(
            .fileAccess, at: fileName(of: path), expected: "a folder that can be written",
            found: "none at '\(parent)'", remedy: "Make the folder, or correct the path '\(path)'.")
    }
    guard isFolder(path) != true else {
        throw VernierError(
            .fileAccess, at: fileName(of: path), expected: "a file to write or replace", found: "a folder",
            remedy: "Correct the path '\(path)'.")
    }
}

/// Throws ``VernierError/Code/fileAccess`` unless a folder stands at `path` or can be made there.
func requirePlace(forFolder path: String) throws {
    var url = URL(fileURLWithPath: path)
    while isFolder(url.path) == nil, url.pathComponents.count > 1 { url.deleteLastPathComponent() }
    guard isFolder(url.path) == true, access(url.path, W_OK) == 0 else {
        throw VernierError(
            .fileAccess, at: fileName(of: path), expected: "a folder that can be written",
            found: "something else at '\(url.path)'", remedy: "Correct the path '\(path)'.")
    }
}

/// Throws ``VernierError/Code/fileAccess`` unless a new folder can be made at `path`, where only an empty one may stand.
func requirePlace(forNewFolder path: String) throws {
    try AtomicFolder.requireFree(path)
    let parent = URL(fileURLWithPath: path).deletingLastPathComponent().path
    guard isFolder(parent) == true, access(parent, W_OK) == 0 else {
        throw VernierError(
            .fileAccess, at: fileName(of: path), expected: "a folder that can be written",
            found: "none at '\(parent)'", remedy: "Make the folder, or correct the path '\(path)'.")
    }
}

/// Whether what stands at `path` is a folder; nil if nothing does.
func isFolder(_ path: String) -> Bool? {
    var isDirectory: ObjCBool = false
    return FileManager.default.fileExists(atPath: path, isDirectory: &isDirectory) ? isDirectory.boolValue : nil
}

/// Whether the first byte of a file that is no white space opens a JSON object; everything else is read as statistics.
func looksLikeJSON(_ path: String) throws -> Bool {
    let file = try MappedFile(path: path)
    return file.withBytes { bytes in
        bytes.first { ![0x20, 0x09, 0x0A, 0x0D].contains($0) } == UInt8(ascii: "{")
    }
}
