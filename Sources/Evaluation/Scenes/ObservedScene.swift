/// What a scorer sees in a picture, without knowing what was asked for.
public struct ObservedScene: Sendable, Hashable {
    /// One object in words of the vocabulary.
    public struct Object: Sendable, Hashable {
        /// The nearest colour's name.
        public let colour: String
        /// The best fitting shape's name; nil if none fits.
        public let shape: String?
        /// The nearest size's name; nil if the object is far smaller or larger than all.
        public let size: String?
        /// The centre in pixels from the left edge.
        public let centreX: Double
        /// The centre in pixels from the upper edge.
        public let centreY: Double
        /// The fitted circumradius in pixels.
        public let radius: Double
        /// How well the shape fits: shared over joint coverage, 0 to 1.
        public let overlap: Double
    }

    /// The nearest background's name.
    public let background: String
    /// The objects, largest first.
    public let objects: [Object]
}
