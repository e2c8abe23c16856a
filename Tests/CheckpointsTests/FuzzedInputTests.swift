import TestSupport
import Testing
import VernierCore

@testable import Checkpoints

/// What libFuzzer kept (`Tests/Fuzzing/keep.sh`): for every line of the readers that it reached, an input that reaches it.
@Suite struct FuzzedInputTests {
    private static let fixtures = "\(Golden.folder)/../CheckpointsTests/Fixtures"

    @Test("Every input that the fuzzer kept is read or refused, and both happen", arguments: FuzzedReader.allCases)
    func readOrRefused(by reader: FuzzedReader) throws {
        let folder = TemporaryDirectory()
        for (name, shard) in [("typed", "m-1"), ("module", "m-2")] {
            try MappedFile(path: "\(Self.fixtures)/\(name).safetensors").withBytes {
                try OverwrittenFile.write($0, to: folder.file("\(shard).safetensors"))
            }
        }
        let kept = try SafetensorsFile(path: "\(Self.fixtures)/fuzzed.safetensors")
        var readCount = 0
        var refusals: Set<String> = []
        for name in kept.tensorNames where name.hasPrefix("\(reader.rawValue)/") {
            do {
                try kept.view(name).withBytes { try reader.read($0, shards: folder.path) }
                readCount += 1
            } catch let error as VernierError {
                refusals.insert(error.description)
            }
        }
        #expect(readCount > 0)
        #expect(refusals.count >= 5, "refused for many reasons: \(refusals.count)")
    }
}
