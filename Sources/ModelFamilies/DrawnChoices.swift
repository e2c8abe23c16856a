import ProfileFormat
import TensorKernels

/// The choices of a batch, map by map, in memory that is kept from batch to batch.
final class DrawnChoices {
    private let schedule: ScaleSchedule
    private let images: Int
    private let perToken: Int
    private let values: ScratchBuffer<Int32>  // [scale][image][n_k, perToken]

    init(schedule: ScaleSchedule, images: Int, perToken: Int) {
        self.schedule = schedule
        self.images = images
        self.perToken = perToken
        values = ScratchBuffer(images * schedule.historyTokens(schedule.scaleCount) * perToken)
    }

    var byteCount: Int { values.byteCount }

    /// The choices `[B, n_k, perToken]` of a map.
    func map(scale: Int) -> UnsafeMutablePointer<Int32> {
        values.pointer + images * schedule.historyTokens(scale) * perToken
    }

    /// Sets a map's choices, one array an image.
    func set(_ choices: [[Int32]], scale: Int) {
        let each = schedule.tokenCount(scale) * perToken
        for image in 0..<images { (map(scale: scale) + image * each).update(from: choices[image], count: each) }
    }

    /// All choices, `[scale][image][n_k, perToken]`.
    var arrays: [[[Int32]]] {
        (0..<schedule.scaleCount).map { scale in
            let each = schedule.tokenCount(scale) * perToken
            return (0..<images).map { image in
                Array(UnsafeBufferPointer(start: map(scale: scale) + image * each, count: each))
            }
        }
    }
}
