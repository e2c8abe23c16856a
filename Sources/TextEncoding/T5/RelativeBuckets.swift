/// T5's buckets of relative positions, 32 of them up to a distance of 128, both directions.
///
/// Source: models.md section 4, after huggingface/transformers: src/transformers/models/t5/modeling_t5.py,
/// `_relative_position_bucket`. A table of where each bucket begins replaces its logarithm, so no rounding decides.
enum RelativeBuckets {
    /// The number of buckets, both directions together.
    static let count = 32
    /// The distance from which on all positions share the last bucket.
    static let maximumDistance = 128

    /// The smallest distance of each bucket of one direction.
    private static let starts = [0, 1, 2, 3, 4, 5, 6, 7, 8, 12, 16, 23, 32, 46, 64, 91]

    /// The bucket of a key `delta` positions after the query (before it if negative).
    static func bucket(_ delta: Int) -> Int {
        let distance = delta.magnitude
        let offset = starts.lastIndex { UInt($0) <= distance } ?? 0
        return delta > 0 ? starts.count + offset : offset
    }
}
