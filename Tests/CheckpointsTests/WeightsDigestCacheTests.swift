import TestSupport
import Testing
import VernierCore

@testable import Checkpoints

#if canImport(Glibc)
import Glibc
#elseif canImport(Darwin)
import Darwin
#endif

@Suite("Remembered digests of weights")
struct WeightsDigestCacheTests {
    private let folder = TemporaryDirectory()
    private var path: String { folder.file("x.safetensors") }

    /// A cache that remembers small and new files too.
    private func cache(_ name: String = "cache", settlingSeconds: Int64 = 0) -> WeightsDigestCache {
        WeightsDigestCache(
            folder: folder.file("\(name)/vernier/weights-digests"), minimumByteCount: 1,
            settlingNanoseconds: settlingSeconds * 1_000_000_000)
    }

    private func write(_ value: Float, to path: String? = nil) throws {
        var writer = SafetensorsWriter()
        try writer.add(TensorView(name: "x", shape: [1], float32: [value]))
        try writer.write(to: path ?? self.path)
    }

    /// The paths of a cache's entries; none where there is no folder.
    private func entries(_ cache: WeightsDigestCache) -> [String] {
        guard let folder = cache.folder, let stream = opendir(folder) else { return [] }
        defer { closedir(stream) }
        var names: [String] = []
        while let entry = readdir(stream) {
            names.append(
                withUnsafePointer(to: &entry.pointee.d_name) {
                    $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
                })
        }
        return names.filter { !$0.hasPrefix(".") }.map { "\(folder)/\($0)" }
    }

    /// Replaces the digest in the only entry, so that its use shows.
    private func poison(_ cache: WeightsDigestCache, _ digest: String = String(repeating: "0", count: 64)) throws {
        #expect(entries(cache).count == 1)
        let path = try #require(entries(cache).first)
        let entry = try WeightsDigestEntry(path: path)
        try AtomicFile.write(WeightsDigestEntry(files: entry.files, digest: digest).text, to: path)
    }

    @Test("A digest is taken once, remembered, and found again by another path to the same file")
    func remembered() throws {
        try write(1)
        let file = try SafetensorsFile(path: path)
        let digest = try weightsDigest(of: file)
        #expect(try weightsDigest(of: file, cache: cache()) == digest)
        #expect(cache().digest(of: file.files) == digest)
        try poison(cache())
        let again = try SafetensorsFile(path: folder.file("./x.safetensors"))
        #expect(try weightsDigest(of: again, cache: cache()) == String(repeating: "0", count: 64), "the entry was used")
    }

    @Test("A stale entry is never used: after a change in place, a replacement, other times, another file there")
    func stale() throws {
        let changes: [(String, (String) throws -> Void)] = [
            ("replaced by a file of the same size", { try self.write(2, to: $0) }),
            (
                "changed in place, with its old times put back",
                { path in
                    var status = stat()
                    #expect(stat(path, &status) == 0)
                    let descriptor = open(path, O_WRONLY)
                    #expect(
                        descriptor >= 0
                            && pwrite(descriptor, [UInt8](repeating: 0, count: 2), 2, off_t(status.st_size) - 2) == 2)
                    close(descriptor)
                    #if canImport(Glibc)
                    var times = [status.st_atim, status.st_mtim]
                    #else
                    var times = [status.st_atimespec, status.st_mtimespec]
                    #endif
                    #expect(utimensat(AT_FDCWD, path, &times, 0) == 0)
                    var after = stat()
                    #expect(stat(path, &after) == 0 && after.st_size == status.st_size)
                }
            ),
            ("touched", { #expect(utimes($0, nil) == 0) }),
            (
                "another file renamed over it",
                { path in
                    try self.write(3, to: path + ".new")
                    #expect(rename(path + ".new", path) == 0)
                }
            ),
        ]
        for (number, (what, change)) in changes.enumerated() {
            let cache = cache("cache\(number)")
            try write(1)
            _ = try weightsDigest(of: SafetensorsFile(path: path), cache: cache)
            try poison(cache)
            usleep(20_000)  // the clock of the file system's times is coarse
            try change(path)
            let file = try SafetensorsFile(path: path)
            #expect(try weightsDigest(of: file, cache: cache) == weightsDigest(of: file), "\(what)")
        }
    }

    @Test("A file that was replaced after it was opened neither uses nor makes an entry")
    func replacedWhileOpen() throws {
        try write(1)
        let old = try SafetensorsFile(path: path)
        try write(2)
        let oldDigest = try weightsDigest(of: old)
        #expect(try weightsDigest(of: old, cache: cache()) == oldDigest)
        #expect(entries(cache()).isEmpty, "nothing was remembered")
        let new = try SafetensorsFile(path: path)
        let newDigest = try weightsDigest(of: new, cache: cache())
        #expect(newDigest != oldDigest)
        #expect(try weightsDigest(of: old, cache: cache()) == oldDigest)
    }

    @Test("What changed a moment ago is not remembered, nor is anything small")
    func unsettled() throws {
        try write(1)
        let file = try SafetensorsFile(path: path)
        for cache in [cache(settlingSeconds: 100), WeightsDigestCache(folder: folder.file("cache"))] {
            _ = try weightsDigest(of: file, cache: cache)
            #expect(entries(cache).isEmpty)
        }
    }

    @Test("Entries that are damaged, of another version or of other files are passed over, and replaced")
    func damaged() throws {
        try write(1)
        let file = try SafetensorsFile(path: path)
        let digest = try weightsDigest(of: file, cache: cache())
        let entry = try #require(entries(cache()).first)
        let text = try MappedFile(path: entry).withBytes { String(decoding: $0, as: UTF8.self) }
        let other = String(repeating: "0", count: 64)
        for (old, new) in [
            ("}", ""), ("\"version\": 1", "\"version\": 2"), (digest, "0"), (digest, other.uppercased() + "0"),
            ("x.safetensors", "y.safetensors"), ("\"format\"", "\"formats\""), ("\"inode\": ", "\"inode\": 1"),
            ("weights-digest", "other"), ("\"files\": [", "\"files\": [[],"),
        ] {
            let poisoned = text.replacing(digest, with: other)
            let damaged = (old == digest ? text : poisoned).replacing(old, with: new)
            #expect(damaged != text && damaged != poisoned, "\(old) is there")
            try AtomicFile.write(damaged, to: entry)
            #expect(try weightsDigest(of: file, cache: cache()) == digest, "\(old) -> \(new)")
            let mended = try MappedFile(path: entry).withBytes { String(decoding: $0, as: UTF8.self) }
            #expect(mended == text, "\(old) -> \(new)")
        }
    }

    @Test("Shards count one by one, and torch files as safetensors do")
    func otherSources() throws {
        try write(1)
        try AtomicFile.write(#"{"weight_map":{"x":"x.safetensors"}}"#, to: folder.file("m.index.json"))
        let sharded = try ShardedSafetensors(path: folder.file("m.index.json"))
        let digest = try weightsDigest(of: sharded, cache: cache())
        #expect(cache().digest(of: sharded.files) == digest)
        usleep(20_000)
        try write(2)
        #expect(cache().digest(of: sharded.files) == nil, "a shard was replaced")
        let torch = try TorchFile(path: Fixture.path("nested.pth"))
        #expect(try weightsDigest(of: torch, cache: cache("torch")) == weightsDigest(of: torch))
        #expect(cache("torch").digest(of: torch.files) != nil)
        let memory = try TorchFile(Fixture.bytes("nested.pth"))
        #expect(memory.files.isEmpty && cache("torch").digest(of: memory.files) == nil)
    }

    @Test("A folder that cannot be made or written turns the cache off without a word")
    func unwritable() throws {
        try write(1)
        let file = try SafetensorsFile(path: path)
        let digest = try weightsDigest(of: file)
        let under = WeightsDigestCache(folder: path + "/below", minimumByteCount: 1, settlingNanoseconds: 0)
        #expect(try weightsDigest(of: file, cache: under) == digest)
        let off = WeightsDigestCache(folder: nil, minimumByteCount: 1, settlingNanoseconds: 0)
        #expect(try weightsDigest(of: file, cache: off) == digest)
    }

    @Test("The environment names the folder or turns the cache off")
    func environment() {
        func folder(_ variables: [String: String]) -> String? {
            WeightsDigestCache.folder { variables[$0] }
        }
        #expect(folder(["HOME": "/home/a"]) == "/home/a/.cache/vernier/weights-digests")
        #expect(folder(["HOME": "/home/a", "XDG_CACHE_HOME": "/c"]) == "/c/vernier/weights-digests")
        #expect(folder(["HOME": "/home/a", "XDG_CACHE_HOME": "c"]) == "/home/a/.cache/vernier/weights-digests")
        #expect(folder(["HOME": "/home/a", "VERNIER_CACHE": "on"]) != nil)
        #expect(folder(["HOME": "/home/a", "VERNIER_CACHE": "off"]) == nil)
        #expect(folder(["HOME": "a"]) == nil && folder([:]) == nil)
    }
}
