import ProfileFormat

/// Sketches as a pooling plan reads them: scaled to means over prompts and queries.
///
/// Each returns rows of R = `layout.signCount` numbers, one row a history position, row-major; an empty array if there
/// are no signs. Products of rows estimate second moments without bias; see ``Sketch`` for their error. All are NaN
/// before the first prompt. Source: `method.md` section 2; the projection is that of Achlioptas (PODS 2001).
extension CalibrationStatistics {
    /// The counted prompts at even places of the corpus; 0 unless halves are kept.
    var evenPromptCount: Int {
        settings.keepsHalves ? journal.count(where: { $0.corpusIndex.isMultiple(of: 2) }) : 0
    }

    /// Whether sketches were calibrated and a prompt counted.
    public var hasSketches: Bool { layout.signCount > 0 && sketches.promptCount > 0 }

    /// The attention columns of a cell, `[H_k, R]`: the dot product of rows p and q is about `E_i[a_ip a_iq]` over
    /// prompts and queries i of scale k; the squared norm of row p about `E_i[a_ip^2]`.
    ///
    /// - Complexity: O(H_k R); the result is a new array.
    public func attentionSketch(branch: Int, layer: Int, head: Int, scale: Int) -> [Float] {
        rows(
            of: sketches.attention, layout.positions(branch: branch, layer: layer, head: head, scale: scale),
            terms: layout.schedule.tokenCount(scale))
    }

    /// The keys of a cell as its queries see them, `[H_k, R]`: the squared distance of rows p and q is about
    /// `E_i[(q_i . (k_p - k_q))^2]` over prompts and queries i of scale k; queries and keys normalised, scaled, rotated.
    ///
    /// - Complexity: O(H_k R); the result is a new array.
    public func keySketch(branch: Int, layer: Int, head: Int, scale: Int) -> [Float] {
        rows(
            of: sketches.key, layout.positions(branch: branch, layer: layer, head: head, scale: scale),
            terms: layout.schedule.tokenCount(scale))
    }

    /// The values of a head as the residual stream sees them, `[H_{K-1}, R]`: the squared distance of rows p and q is
    /// about `E norm2(gate * W_o^h (v_p - v_q))^2` over prompts. The same for every target scale, whose history is the
    /// first H_k rows.
    ///
    /// - Complexity: O(H_{K-1} R); the result is a new array.
    public func valueSketch(branch: Int, layer: Int, head: Int) -> [Float] {
        rows(of: sketches.value, layout.finalPositions(branch: branch, layer: layer, head: head), terms: 1)
    }

    /// The rows of a sketch over `sqrt(prompts * terms * R)`.
    private func rows(of values: [Float], _ positions: Range<Int>, terms: Int) -> [Float] {
        let signs = layout.signCount
        guard signs > 0, values.count >= positions.upperBound * signs else { return [] }
        let factor = Float(1 / (Double(sketches.promptCount) * Double(terms) * Double(signs)).squareRoot())
        return values[positions.lowerBound * signs..<positions.upperBound * signs].map { $0 * factor }
    }

    /// Lends the sums to an observer that adds whole prompts to them in place, because a second copy may not fit the
    /// machine. Until ``returnSketches(_:)`` these statistics have none and are refused by every check.
    package mutating func lendSketches() -> (all: AttentionSketches, even: AttentionSketches) {
        let lent = (sketches, evenSketches)
        sketches = .none(layout)
        evenSketches = .none(layout)
        return lent
    }

    /// Takes back sums that now hold every counted prompt.
    ///
    /// - Precondition: layout and prompt count are those of these statistics.
    package mutating func returnSketches(_ lent: (all: AttentionSketches, even: AttentionSketches)) {
        precondition(
            lent.all.layout == layout && lent.even.layout == layout && lent.all.promptCount == promptCount
                && lent.even.promptCount == evenPromptCount, "layout and prompt counts are those of these statistics")
        (sketches, evenSketches) = lent
    }
}
