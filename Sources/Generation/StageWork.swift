import KVCacheRuntime
import ModelFamilies
import ProfileFormat
import VernierCore

/// What the stages of a batch compute and read, to hold the time they took (``GenerationReport``) against what a machine
/// can do.
///
/// Floating-point operations, a multiply-add counted as two, whatever the way to compute them: the decoder's count plain
/// convolutions, of which Winograd's filtering needs less than half the products.
public struct StageWork: Sendable, Hashable {
    /// Operations of the text encoder; 0 for classes.
    public let text: Double
    /// Operations of the transformer at every scale, attention over what was kept.
    public let transformerByScale: [Double]
    /// Operations of the image decoder.
    public let decode: Double
    /// Bytes of the packed weights that every scale reads.
    public let weightBytes: Int

    /// Counts the last batch of a generator; `plan` is that of a picture with as many text tokens.
    public init(_ plan: PicturePlan, report: GenerationReport, weightBytes: Int) {
        let images = Double(report.images), schedule = plan.schedule
        let (scales, layers, heads) = (report.keptShape[1], report.keptShape[2], report.keptShape[3])
        text = images * (plan.textEncoder ?? 0)
        decode = images * plan.decoder.total
        self.weightBytes = weightBytes
        let withoutAttention = plan.transformerTotal - plan.transformer.attention * Double(plan.model.branches)
        transformerByScale = (0..<scales).map { scale in
            let tokens = schedule.tokenCount(scale)
            var pairs = 0
            for branch in 0..<report.keptShape[0] {
                let first = (branch * scales + scale) * layers * heads
                for kept in report.ledger.keptSlots[first..<first + layers * heads] {
                    pairs += tokens * (kept + tokens)
                }
            }
            let share = Double(tokens) / Double(schedule.totalTokens)
            return images * (withoutAttention * share + 4 * Double(plan.model.headWidth) * Double(pairs))
        }
    }

    /// As a member of a report.
    public var jsonValue: JSONValue {
        [
            "operations": [
                "text": .number(text), "transformer_by_scale": .array(transformerByScale.map { .number($0) }),
                "decode": .number(decode),
            ],
            "weight_bytes": .integer(Int64(weightBytes)),
        ]
    }
}
