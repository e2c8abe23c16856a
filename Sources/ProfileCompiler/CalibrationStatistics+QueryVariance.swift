import CalibrationStatistics

extension CalibrationStatistics {
    /// How much a head's attention changes from query to query at one scale: the variance, over prompts and queries, of
    /// what a history position receives, summed over the history; not negative. Nil without sketches.
    ///
    /// `sum_p (E_i[a_ip^2] - E_i[a_ip]^2)`, where the first mean is the squared norm of the attention sketch, an
    /// unbiased estimate. 0 for attention that is the same for all queries (vertical patterns), up to 1 for queries
    /// that each look at another position (diagonals).
    func queryVariance(branch: Int, layer: Int, head: Int, scale: Int) -> Double? {
        guard hasSketches else { return nil }
        let squares = attentionSketch(branch: branch, layer: layer, head: head, scale: scale).reduce(0.0) {
            $0 + Double($1) * Double($1)
        }
        let means = positionMass(branch: branch, layer: layer, head: head, scale: scale).reduce(0.0) { $0 + $1 * $1 }
        return max(0, squares - means)
    }
}
