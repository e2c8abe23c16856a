import ProfileFormat

/// The two halves of a calibration, for judging whether its groups of positions would come out again.
///
/// Sketches keep no row a prompt, they are too large; with `keepsHalves` those of the prompts at even places of the corpus
/// are summed a second time, and what is left of the whole is the other half.
extension CalibrationStatistics {
    /// Whether both halves hold prompts.
    public var hasHalves: Bool {
        hasSketches && evenSketches.promptCount > 0 && evenSketches.promptCount < sketches.promptCount
    }

    /// Prompts at even places and at odd ones.
    public var halfCounts: (even: Int, odd: Int) {
        (evenSketches.promptCount, sketches.promptCount - evenSketches.promptCount)
    }

    /// The same calibration with the sketches of the prompts at even places only, or at odd ones, scaled to stand for all
    /// prompts; nil without halves.
    ///
    /// Everything else stays that of all prompts, so the result is for compiling plans to be compared.
    public func half(even: Bool) -> CalibrationStatistics? {
        guard hasHalves else { return nil }
        var result = self
        result.sketches = evenSketches
        if !even { result.sketches.complement(in: sketches) }
        result.sketches.standFor(promptCount)
        return result
    }
}
