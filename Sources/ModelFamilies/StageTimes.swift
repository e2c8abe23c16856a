/// Wall-clock seconds spent in each stage of a generation; see ``StageClock``.
public struct StageTimes: Sendable, Hashable {
    /// Text encoder and everything else done once per image before the first scale.
    public var textSeconds = 0.0
    /// Embedding of the scale's input, transformer blocks and head, by scale.
    public var transformerSeconds: [Double]
    /// Seconds of threads in attention, part of ``transformerSeconds``; summed over threads.
    public var attentionThreadSeconds = 0.0
    /// Seconds of threads choosing, merging and storing what the cache keeps, likewise.
    public var retentionThreadSeconds = 0.0
    /// Guidance, sampling, accumulating codes and resizing them to the next scale's input.
    public var samplingSeconds = 0.0
    /// Image decoder.
    public var decodeSeconds = 0.0

    /// Starts at zero for a schedule of `scaleCount` scales.
    public init(scaleCount: Int) { transformerSeconds = Array(repeating: 0, count: scaleCount) }

    /// The sum of all stages.
    public var totalSeconds: Double {
        textSeconds + transformerSeconds.reduce(0, +) + samplingSeconds + decodeSeconds
    }
}
