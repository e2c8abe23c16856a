import CalibrationStatistics
import Generation
import ModelFamilies
import VernierCore

/// Runs finished pictures again, once for each layer, with that layer's attention outputs disturbed and the pictures'
/// own choices forced, and measures how far the guided distributions move.
struct LayerProbe {
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
        for layer in 0..<layout.layers {
            eachLayer(layer)
            func index(_ scale: Int) -> Int { layer * layout.scaleCount + scale }
            var failure: (any Error)?
            var hooks = GenerationHooks()
            hooks.forcedChoices = choices
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
}
