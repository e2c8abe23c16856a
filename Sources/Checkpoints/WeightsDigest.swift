import VernierCore

/// The SHA-256 digest of all tensors of a source, in hexadecimal: equal weights under equal names give equal digests,
/// however they are spread over files.
///
/// Digested per tensor, in ascending order of the names' UTF-8 bytes: name, element type, shape as decimal numbers
/// with commas (each followed by a zero byte), then the stored bytes. A file with other metadata or another order of
/// tensors has the same digest; the same numbers stored in another type have not.
///
/// - Complexity: reads all weights once.
public func weightsDigest(of source: some TensorSource) throws -> String {
    var digest = Digest()
    for name in source.tensorNames {
        let tensor = try source.view(name)
        digest.update(field: name)
        digest.update(field: tensor.elementType.name)
        digest.update(field: tensor.shape.map(String.init).joined(separator: ","))
        tensor.withBytes { digest.update($0) }
        tensor.release()
    }
    return digest.finalise()
}

/// The digest of the weights in files, from `cache` if they have not changed since it was last taken.
///
/// The same as ``weightsDigest(of:)``, whatever the cache holds.
public func weightsDigest(of source: some FileTensorSource, cache: WeightsDigestCache) throws -> String {
    if let known = cache.digest(of: source.files) { return known }
    let digest = try weightsDigest(of: source)
    cache.remember(digest, of: source.files)
    return digest
}
