import VernierCore

/// Opens weights by what the file holds, whatever it is called: safetensors, the index of sharded safetensors, or a zip
/// file of `torch.save`. Of a folder, the weights in it.
///
/// In a folder the first of these counts: the only file `*.safetensors.index.json`, the only `*.safetensors`, the only
/// `*.pth`, `*.pt` or `*.bin`; if there are several of the first kind that exists, one must be named.
///
/// Throws ``VernierError/Code/fileAccess``, ``VernierError/Code/unsupportedVersion`` for torch files older than version
/// 1.6 and for content of any other kind, and what the readers throw.
public func openWeights(_ path: String) throws -> any TensorSource {
    let path = FolderListing.isFolder(path) ? try WeightsFolder.weights(in: path) : path
    switch try WeightsFormat(ofFile: path) {
    case .safetensors: return try SafetensorsFile(path: path)
    case .index: return try ShardedSafetensors(path: path)
    case .torch: return try TorchFile(path: path)
    }
}
