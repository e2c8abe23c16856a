import TextEncoding

extension CheckpointLayout {
    /// The encoder half of a T5 1.1 model.
    public static func t5Encoder(_ sizes: T5Configuration) -> CheckpointLayout {
        var layout = CheckpointLayout()
        let width = sizes.width, inner = sizes.heads * sizes.headWidth, hidden = sizes.mlpWidth
        func norm(_ name: String) { layout.add("\(name).weight", [width], .spread(0.1, about: 1)) }
        layout.add("shared.weight", [sizes.idCount, width], .spread(1))
        for block in 0..<sizes.layers {
            let attention = "encoder.block.\(block).layer.0", mlp = "encoder.block.\(block).layer.1"
            // Scores are not divided by the head's width: queries are smaller by its root.
            let small = 1 / Float(sizes.headWidth).squareRoot()
            for (name, gain) in [("q", small), ("k", 1), ("v", 1)] {
                layout.add(
                    "\(attention).SelfAttention.\(name).weight", [inner, width], .weights(inputs: width, gain: gain))
            }
            layout.add("\(attention).SelfAttention.o.weight", [width, inner], .weights(inputs: inner))
            if block == 0 {
                layout.add(
                    "\(attention).SelfAttention.relative_attention_bias.weight", [32, sizes.heads], .spread(0.5))
            }
            norm("\(attention).layer_norm")
            layout.add("\(mlp).DenseReluDense.wi_0.weight", [hidden, width], .weights(inputs: width))
            layout.add("\(mlp).DenseReluDense.wi_1.weight", [hidden, width], .weights(inputs: width))
            layout.add("\(mlp).DenseReluDense.wo.weight", [width, hidden], .weights(inputs: hidden))
            norm("\(mlp).layer_norm")
        }
        norm("encoder.final_layer_norm")
        return layout
    }
}
