import Checkpoints

/// A tensor that a checkpoint of some architecture holds, and what a synthetic copy of it is filled with.
public struct TensorDeclaration: Sendable, Hashable {
    /// Numbers that keep activations finite through any depth.
    public enum Fill: Sendable, Hashable {
        /// Even between `-bound` and `bound` about a centre.
        case even(about: Float, bound: Float)
        /// One number everywhere.
        case constant(Float)
        /// The scale of each history position (VAR's buffer `lvl_1L`).
        case scaleIndices([Int])
        /// 0 where a position may attend, minus infinity where its scale is earlier (VAR's training mask).
        case mask([Int])

        /// Weights of a layer with so many inputs: outputs vary as much as inputs, times `gain`.
        static func weights(inputs: Int, gain: Float = 1) -> Fill {
            .even(about: 0, bound: gain * (3 / Float(inputs)).squareRoot())
        }
        /// Numbers of standard deviation `deviation`.
        static func spread(_ deviation: Float, about centre: Float = 0) -> Fill {
            .even(about: centre, bound: deviation * Float(3).squareRoot())
        }
    }

    /// The official name.
    public let name: String
    /// Extents, outermost first.
    public let shape: [Int]
    /// Whole numbers stay whole; everything else is stored in the checkpoint's float type.
    public let isInteger: Bool
    /// Whether the model is trained on it; buffers are not counted as parameters.
    public let isParameter: Bool
    /// What a synthetic copy holds.
    public let fill: Fill

    /// The product of the extents.
    public var elementCount: Int { shape.reduce(1, *) }

    init(_ name: String, _ shape: [Int], _ fill: Fill, isParameter: Bool = true, isInteger: Bool = false) {
        self.name = name
        self.shape = shape
        self.fill = fill
        self.isParameter = isParameter
        self.isInteger = isInteger
    }
}
