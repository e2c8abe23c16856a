/// One patch of one colour in a picture, with soft edges.
struct SceneSegment {
    /// The colour's index in the vocabulary.
    let colour: Int
    /// The box around the patch, one pixel wider on every side where the picture allows it.
    let left: Int
    let top: Int
    let width: Int
    let height: Int
    /// `[height, width]` coverage of the box's pixels, 0 to 1.
    let coverage: [Double]

    /// The covered area in pixels.
    var area: Double { coverage.reduce(0, +) }

    /// The centre of the covered area in pixels from the picture's upper left corner.
    var centre: (x: Double, y: Double) {
        var (sum, sumX, sumY) = (0.0, 0.0, 0.0)
        for row in 0..<height {
            for column in 0..<width {
                let weight = coverage[row * width + column]
                sum += weight
                sumX += weight * (Double(left + column) + 0.5)
                sumY += weight * (Double(top + row) + 0.5)
            }
        }
        return sum > 0 ? (sumX / sum, sumY / sum) : (Double(left), Double(top))
    }
}
