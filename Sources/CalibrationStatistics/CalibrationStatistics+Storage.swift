import ProfileFormat

/// What narrower storage formats cost.
extension CalibrationStatistics {
    /// Whether storage errors were measured for at least one counted prompt.
    public var hasStorageErrors: Bool { !storageErrors.isEmpty }

    /// The squared error at the residual stream, `norm2(gamma1 * W_o^h (o_format - o_full))^2`, when the keys and values
    /// of a cell's whole history are stored in `format`: mean over the queries of the scale and over the probed prompts.
    /// 0 for ``StorageFormat/float32`` and at scale 0.
    ///
    /// - Precondition: every index is within its dimension; the format is ``StorageFormat/float32`` or one of the
    ///   settings' `storageFormats`, and there are storage errors (``hasStorageErrors``).
    public func storageError(_ format: StorageFormat, branch: Int, layer: Int, head: Int, scale: Int) -> Double {
        let cell = layout.cell(branch: branch, layer: layer, head: head, scale: scale)
        guard format != .float32 else { return 0 }
        let measured = settings.storageFormats.firstIndex(of: format)
        precondition(measured != nil && hasStorageErrors, "the errors of the format were measured")
        guard let index = measured else { return 0 }
        return storageErrors.reduce(0) { $0 + $1.values[index][cell] } / Double(storageErrors.count)
    }

    /// What is wrong with the storage errors.
    func storageProblems() -> [String] {
        let probed = Self.probedCount(journal.map(\.corpusIndex), settings)
        let expected = settings.storageFormats.isEmpty ? 0 : probed
        guard storageErrors.count == expected else {
            return ["expected storage errors of \(expected) prompts, found those of \(storageErrors.count)"]
        }
        return storageErrors.flatMap { $0.problems(layout, settings.storageFormats) }
    }
}
