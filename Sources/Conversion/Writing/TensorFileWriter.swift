import Checkpoints
import Generation
import VernierCore

/// Writes files of tensors one tensor at a time, and reports how far it is.
final class TensorFileWriter {
    /// What a report counts.
    private static let bytesPerUnit = 1_000_000

    private let stage: String
    private let totalBytes: Int
    private let progress: ProgressHandler?
    private let clock = ContinuousClock()
    private let start: ContinuousClock.Instant
    private var doneBytes = 0

    /// Prepares to write `totalBytes` of tensors in all.
    init(stage: String, totalBytes: Int, progress: ProgressHandler?) {
        self.stage = stage
        self.totalBytes = totalBytes
        self.progress = progress
        start = clock.now
    }

    /// Writes a safetensors file. Throws ``VernierError/Code/fileAccess``, and what making a tensor throws, as all
    /// functions here do.
    func writeSafetensors(_ tensors: [PendingTensor], to path: String) throws {
        var writer = SafetensorsWriter()
        for tensor in tensors {
            try writer.add(tensor.name, tensor.elementType, shape: tensor.shape) { try self.made(tensor) }
        }
        try writer.write(to: path)
        report()
    }

    /// Writes a torch file: a state dictionary, or one that is the member `key` of a dictionary.
    func writeTorch(_ tensors: [PendingTensor], under key: String? = nil, to path: String) throws {
        try TorchFileWriter.write(to: path, under: key) { writer in
            for tensor in tensors { try writer.add(try made(tensor)) }
        }
        report()
    }

    /// Writes the tensors into `folder` as Hugging Face's libraries do: one file `model.safetensors`, or if that were
    /// larger than `largestBytes` several and an index.
    func writeShards(_ tensors: [PendingTensor], largestBytes: Int, toFolder folder: String) throws {
        var shards: [[PendingTensor]] = [], bytes = 0
        for tensor in tensors {
            if shards.isEmpty || bytes + tensor.byteCount > largestBytes {
                shards.append([])
                bytes = 0
            }
            shards[shards.count - 1].append(tensor)
            bytes += tensor.byteCount
        }
        guard shards.count > 1 else { return try writeSafetensors(tensors, to: "\(folder)/model.safetensors") }
        var map = JSONObject()
        for (index, shard) in shards.enumerated() {
            let name = "model-\(Self.padded(index + 1))-of-\(Self.padded(shards.count)).safetensors"
            for tensor in shard { map[tensor.name] = .string(name) }
            try writeSafetensors(shard, to: "\(folder)/\(name)")
        }
        let index: JSONValue = [
            "metadata": ["total_size": .integer(Int64(tensors.byteCount))], "weight_map": .object(map),
        ]
        try AtomicFile.write(try index.canonicalText(), to: "\(folder)/model.safetensors.index.json")
    }

    private static func padded(_ number: Int) -> String {
        let digits = "\(number)"
        return String(repeating: "0", count: max(0, 5 - digits.count)) + digits
    }

    /// The tensor, once what was written before it has been reported.
    private func made(_ tensor: PendingTensor) throws -> TensorView {
        report()
        defer { doneBytes += tensor.byteCount }
        return try tensor.make()
    }

    private func report() {
        progress?(
            ProgressReport(
                done: doneBytes / Self.bytesPerUnit, total: totalBytes / Self.bytesPerUnit, stage: stage,
                elapsedSeconds: (clock.now - start) / .seconds(1)))
    }
}
