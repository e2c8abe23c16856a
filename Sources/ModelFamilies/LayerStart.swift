import TensorKernels

/// Where a run with forced choices takes up another run of the same batch and choices: at a layer that nothing different
/// has entered. The layers before it are not run, and the cache holds nothing of them.
public struct LayerStart {
    /// The first layer that is run.
    public let layer: Int
    /// What entered it in the other run, `[scale]` -> `[sequences, n_k, C]` (``GenerationHooks/hiddenEntering``).
    public let hidden: [FloatBuffer]

    /// Names the layer and gives what entered it.
    public init(layer: Int, hidden: [FloatBuffer]) {
        self.layer = layer
        self.hidden = hidden
    }
}
