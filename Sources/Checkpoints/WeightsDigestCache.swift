import VernierCore

#if canImport(Glibc)
import Glibc
#elseif canImport(Darwin)
import Darwin
#endif

/// Remembers digests of weights between runs, because reading 8 GB takes seconds.
///
/// One small JSON file a model, under `vernier/weights-digests` in the user's cache folder: `$XDG_CACHE_HOME`, else
/// `~/.cache`. `VERNIER_CACHE=off` in the environment turns it off, and so does a folder that cannot be written: nothing
/// is ever reported. Small weights are not remembered.
///
/// A remembered digest counts only if every file of the source has the path, disk, number, size, modification time and
/// change time that it had then, both now and when it was opened. Files changed within the last ``settlingSeconds`` are
/// not remembered: a file system's clock is coarse, and a second change could leave no trace in it. What would be missed
/// is a change of the content that leaves size and both times alone. The change time is set by the kernel on every
/// write, so that takes a clock set back to the nanosecond, a raw write to the disk, or a write through a memory map on
/// a file system that does not record it: nothing that happens to a file of weights by accident. Whoever can do it on
/// purpose can write the cache too; the digest guards against confusion, not against that person.
public struct WeightsDigestCache: Sendable {
    /// How long a file must have been left alone before its digest is remembered.
    public static let settlingSeconds = 2

    /// The folder of the entries; `nil` where nothing is remembered.
    public let folder: String?
    /// Sources smaller than this are not remembered.
    let minimumByteCount: Int64
    /// How long ago the last change must be.
    let settlingNanoseconds: Int64

    /// The user's cache, as the environment says.
    public static let standard = WeightsDigestCache(folder: folder { getenv($0).map { String(cString: $0) } })

    /// Remembers in `folder`, which is made when it is needed; `nil` remembers nothing.
    public init(folder: String?) {
        self.init(
            folder: folder, minimumByteCount: 64 << 20,
            settlingNanoseconds: Int64(Self.settlingSeconds) * 1_000_000_000)
    }

    init(folder: String?, minimumByteCount: Int64, settlingNanoseconds: Int64) {
        self.folder = folder
        self.minimumByteCount = minimumByteCount
        self.settlingNanoseconds = settlingNanoseconds
    }

    /// The folder that an environment asks for; relative paths count as none, as the XDG specification has it.
    static func folder(environment: (String) -> String?) -> String? {
        guard environment("VERNIER_CACHE") != "off" else { return nil }
        let own = "vernier/weights-digests"
        if let base = environment("XDG_CACHE_HOME"), base.hasPrefix("/") { return "\(base)/\(own)" }
        if let home = environment("HOME"), home.hasPrefix("/") { return "\(home)/.cache/\(own)" }
        return nil
    }

    /// The digest remembered for `files`; `nil` if there is none that still holds.
    func digest(of files: [OpenedFile]) -> String? {
        guard let entry = entry(for: files), let known = try? WeightsDigestEntry(path: entry.path),
            known.files == entry.files
        else { return nil }
        return known.digest
    }

    /// Remembers a digest, if the files are large, have not changed since they were opened, and have settled.
    func remember(_ digest: String, of files: [OpenedFile]) {
        guard let folder, let entry = entry(for: files), isSettled(files) else { return }
        makeFolder(folder)
        try? AtomicFile.write(WeightsDigestEntry(files: entry.files, digest: digest).text, to: entry.path)
    }

    /// Where the digest of `files` is remembered, and under which identities; `nil` if it must not be.
    private func entry(for files: [OpenedFile]) -> (path: String, files: [OpenedFile])? {
        guard let folder, !files.isEmpty, files.reduce(0, { $0 + $1.identity.byteCount }) >= minimumByteCount
        else { return nil }
        var digest = Digest()
        var resolved: [OpenedFile] = []
        for file in files {
            // The path may have come to mean another file, and the file may have been written to.
            guard FileIdentity(path: file.path) == file.identity, let path = realpath(file.path, nil) else {
                return nil
            }
            defer { free(path) }
            resolved.append(OpenedFile(path: String(cString: path), identity: file.identity))
            digest.update(field: resolved[resolved.count - 1].path)
        }
        return ("\(folder)/\(digest.finalise()).json", resolved)
    }

    private func isSettled(_ files: [OpenedFile]) -> Bool {
        var now = timespec()
        guard clock_gettime(CLOCK_REALTIME, &now) == 0 else { return false }
        let nowNanoseconds = Int64(now.tv_sec) &* 1_000_000_000 &+ Int64(now.tv_nsec)
        return files.allSatisfy {
            max($0.identity.modifiedNanoseconds, $0.identity.changedNanoseconds) <= nowNanoseconds - settlingNanoseconds
        }
    }

    /// Makes the folder and those above it, as far as that can be done.
    private func makeFolder(_ path: String) {
        var position = path.startIndex
        while let slash = path[position...].dropFirst().firstIndex(of: "/") {
            mkdir(String(path[..<slash]), 0o700)
            position = slash
        }
        mkdir(path, 0o700)
    }
}
