import KVCacheRuntime
import ModelFamilies
import TensorKernels
import VernierCore

/// What a batch cost: the byte ledger and the time by stage.
public struct GenerationReport: Sendable {
    /// Pictures of the batch.
    public let images: Int
    /// The cache's ledger; transient bytes include the activations.
    public let ledger: CacheLedger
    /// Bytes of everything that lives for one layer or one map only: activations, score tiles, scratch.
    public let transientBytes: Int
    /// Seconds by stage, for the whole batch.
    public let times: StageTimes
    /// Shape of ``KVCacheRuntime/CacheLedger/keptSlots``: branches, scales, layers, heads.
    public let keptShape: [Int]

    /// The report as a JSON object. Seconds of `_threads` are summed over threads and part of the others; `kept_tokens` is
    /// `[branch][scale][layer][head]`, tokens held when a scale began.
    public var jsonValue: JSONValue {
        func integer(_ value: Int) -> JSONValue { .integer(Int64(value)) }
        func nested(_ values: ArraySlice<Int>, _ shape: ArraySlice<Int>) -> JSONValue {
            guard let first = shape.first, shape.count > 1 else { return .array(values.map(integer)) }
            let each = values.count / first
            return .array(
                (0..<first).map {
                    nested(
                        values[(values.startIndex + $0 * each)..<(values.startIndex + ($0 + 1) * each)],
                        shape.dropFirst())
                })
        }
        return [
            "arithmetic": .string(Arithmetic.current.rawValue), "kernels": .string(Kernels.instructionSet),
            "images": integer(images),
            "resident_bytes": [
                "predicted": integer(ledger.predictedResidentBytes),
                "allocated": integer(ledger.allocatedResidentBytes),
                "peak": integer(ledger.peakResidentBytes), "full_cache": integer(ledger.fullCacheBytes),
            ],
            "transient_bytes": integer(transientBytes),
            "bookkeeping_bytes": integer(ledger.bookkeepingBytes),
            "kept_tokens": nested(ledger.keptSlots[...], keptShape[...]),
            "seconds": [
                "text": .number(times.textSeconds),
                "transformer_by_scale": .array(times.transformerSeconds.map { .number($0) }),
                "attention_threads": .number(times.attentionThreadSeconds),
                "retention_threads": .number(times.retentionThreadSeconds), "sampling": .number(times.samplingSeconds),
                "decode": .number(times.decodeSeconds),
                "total": .number(times.totalSeconds),
            ],
        ]
    }
}
