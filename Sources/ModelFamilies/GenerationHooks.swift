import KVCacheRuntime

/// Where callers may look while an image is generated, or force its tokens. All optional; all on the calling thread.
public struct GenerationHooks {
    /// Watches every head's attention.
    public var attention: (any AttentionObserver)?
    /// The hidden state `[sequences, n_k, C]` before the first block and after the last.
    public var hiddenIn: ((_ scale: Int, _ values: [Float]) -> Void)?
    public var hiddenOut: ((_ scale: Int, _ values: [Float]) -> Void)?
    /// The hidden state `[sequences, n_k, C]` that enters a layer.
    public var hiddenEntering: ((_ scale: Int, _ layer: Int, _ values: UnsafeBufferPointer<Float>) -> Void)?
    /// Where to take up another run of the same batch, the same choices forced.
    public var start: LayerStart?
    /// Guided logits divided by temperature, `[B, n_k, choices * values]` (``ChoiceFormat``): for bits, channels 2c and
    /// 2c + 1 are "bit c is 0", "bit c is 1".
    public var logits: ((_ scale: Int, _ values: UnsafeBufferPointer<Float>) -> Void)?
    /// Choices `[scale][image][n_k, perToken]` to use instead of drawn ones (teacher forcing).
    public var forcedChoices: [[[Int32]]]?
    /// Disturbs one layer's attention outputs.
    public var disturbance: AttentionDisturbance?
    /// Called after each scale.
    public var finishedScale: ((_ scale: Int) -> Void)?

    /// No hooks.
    public init() {}
}
