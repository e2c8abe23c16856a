import CalibrationStatistics
import Generation
import ModelFamilies
import ProfileFormat
import TensorKernels
import VernierCore

/// Runs finished pictures again, once for each layer, with that layer's attention outputs disturbed and the pictures'
/// own choices forced, and measures how far the guided distributions move.
///
/// With forced choices nothing before the disturbed layer changes, so most runs start there, from what entered it in
/// another: half of the work in all, and the same bits.
struct LayerProbe {
    /// The most bytes of hidden states that are held to start from: 1 GiB.
    var mostHiddenBytes = 1 << 30
    /// The disturbance over the root mean square of a head's output: small enough that the divergence grows as its
    /// square, large enough to stand far above the rounding of logits.
    var relativeSize: Float = 0.01

    let generator: ImageGenerator
    let settings: SamplingSettings
    let layout: StatisticsLayout

    /// The responses of some pictures.
    ///
    /// - Parameters:
    ///   - requests: What was drawn; a picture's seed also keys its disturbance.
    ///   - choices: What was chosen for them, `[scale][picture]`.
    ///   - logits: Their guided logits over temperature, `[scale][picture]`.
    ///   - eachLayer: Called before each layer's run.
    ///
    /// Throws ``VernierError/Code/nonFinite`` if a disturbed run or its divergence is not finite.
    func responses(
        to requests: [ImageRequest], choices: [[[Int32]]], logits: [[[Float]]], eachLayer: (_ layer: Int) -> Void
    ) throws -> [LayerResponses] {
        var responses = requests.map { _ in LayerResponses(layout: layout) }
        // From the last layer to the first: what enters the layers before a disturbed one is what enters them undisturbed.
        var entered: [Int: [FloatBuffer]] = [:]  // [layer][scale]
        for layer in (0..<layout.layers).reversed() {
            eachLayer(layer)
            func index(_ scale: Int) -> Int { layer * layout.scaleCount + scale }
            var failure: (any Error)?
            var hooks = GenerationHooks()
            hooks.forcedChoices = choices
            hooks.start = entered.removeValue(forKey: layer).map { LayerStart(layer: layer, hidden: $0) }
            if hooks.start == nil {
                let kept = max(0, layer - layersHeld(pictures: requests.count))..<layer
                hooks.hiddenEntering = { _, layer, values in
                    if kept.contains(layer) { entered[layer, default: []].append(FloatBuffer(Array(values))) }
                }
            }
            hooks.disturbance = AttentionDisturbance(
                layer: layer, relativeSize: relativeSize, seeds: requests.map(\.seed)
            ) { scale, image, squaredError in responses[image].squaredError[index(scale)] = squaredError }
            hooks.logits = { scale, disturbed in
                let each = disturbed.count / requests.count
                for image in requests.indices {
                    var divergence = ForcedDecodingDivergence()
                    do {
                        try logits[scale][image].withUnsafeBufferPointer {
                            try divergence.add(
                                teacher: $0,
                                compressed: UnsafeBufferPointer(
                                    rebasing: disturbed[(image * each)..<((image + 1) * each)]),
                                values: generator.model.network.choices.values)
                        }
                    } catch { failure = failure ?? error }
                    responses[image].divergence[index(scale)] = divergence.sumNats
                }
            }
            _ = try generator.generateChoices(requests, settings: settings, hooks: hooks)
            if let failure { throw failure }
        }
        return responses
    }

    /// For how many layers what enters them may be held.
    private func layersHeld(pictures: Int) -> Int {
        let tokens = layout.schedule.grids.reduce(0) { $0 + $1.tokenCount }
        let width = generator.model.network.stack.width
        return mostHiddenBytes / max(4 * tokens * width * layout.branches * pictures, 1)
    }
}
