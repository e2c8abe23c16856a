import Checkpoints
import VernierCore

/// A file of weights that a conversion may take tensors from.
struct WeightsSource {
    /// Its path, an index's for shards.
    let path: String
    let tensors: any TensorSource
    /// The names of all tensors, in ascending order.
    let names: [String]

    /// The folder that it stands in.
    var folder: String {
        guard let slash = path.utf8.lastIndex(of: UInt8(ascii: "/")) else { return "." }
        return slash == path.startIndex ? "/" : String(path[..<slash])
    }

    /// Opens a file of any format that is read. Throws as ``openWeights(_:)`` does.
    init(path: String) throws {
        self.path = path
        tensors = try openWeights(path)
        names = tensors.tensorNames
    }
}
