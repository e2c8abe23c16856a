import ProfileFormat

/// Floating-point operations of a next-scale transformer for one picture and one sequence, a multiply-add counted as two
/// (`models.md` section 5.2).
///
/// Legend: L blocks, C width, F hidden width of the feed-forward layers, T tokens of all scales, n_s tokens of scale s, T_s
/// tokens up to and with scale s, D bits a token, V codebook entries. Numbers are Doubles: whole, and exact up to 2^53.
public struct TransformerWork: Sendable, Hashable {
    /// Matrix products with the weights of the blocks.
    public let linear: Double
    /// Self-attention: scores and weighted sums over the current map and the whole history.
    public let attention: Double
    /// Cross-attention over the text, its keys and values computed once; 0 without text.
    public let text: Double
    /// Everything else: the head, the embedding of what was drawn, and modulation that is computed once a picture.
    public let rest: Double

    /// The sum.
    public var total: Double { linear + attention + text + rest }

    /// Infinity: `L T (12 C^2 + 4 C F)`, `4 C L sum n_s T_s`, `4 C L T text + 4 L C^2 text`, `4 D C T`.
    public static func infinity(
        depth: Int, width: Int, mlpWidth: Int, bits: Int, schedule: ScaleSchedule, textTokens: Int
    ) -> TransformerWork {
        let l = Double(depth), c = Double(width), f = Double(mlpWidth), text = Double(textTokens)
        let t = Double(schedule.totalTokens)
        return TransformerWork(
            linear: l * t * (12 * c * c + 4 * c * f), attention: 4 * c * l * pairs(schedule),
            text: 4 * c * l * t * text + 4 * l * c * c * text, rest: 4 * Double(bits) * c * t)
    }

    /// VAR: `L T (8 C^2 + 4 C F)`, `4 C L sum n_s T_s`, `2 V C T + 2 Cvae C T + L 12 C^2`, the last for AdaLN once a picture.
    ///
    /// `codeChannels` are the channels of a codebook entry.
    public static func classConditional(
        depth: Int, width: Int, mlpWidth: Int, codebookSize: Int, codeChannels: Int, schedule: ScaleSchedule
    ) -> TransformerWork {
        let l = Double(depth), c = Double(width), f = Double(mlpWidth), t = Double(schedule.totalTokens)
        return TransformerWork(
            linear: l * t * (8 * c * c + 4 * c * f), attention: 4 * c * l * pairs(schedule), text: 0,
            rest: 2 * Double(codebookSize) * c * t + 2 * Double(codeChannels) * c * t + 12 * l * c * c)
    }

    /// `sum over s of n_s T_s`: pairs of a query and a key of the full cache.
    private static func pairs(_ schedule: ScaleSchedule) -> Double {
        (0..<schedule.scaleCount).reduce(0) {
            $0 + Double(schedule.tokenCount($1)) * Double(schedule.historyTokens($1 + 1))
        }
    }
}
