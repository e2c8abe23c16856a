import CalibrationStatistics
import ProfileFormat
import VernierCore

extension CalibrationStatistics {
    /// SHA-256 over everything that was measured and how: equal statistics have equal digests, in whatever file.
    ///
    /// Numbers enter as little-endian bit patterns.
    public func contentDigest() -> String {
        var digest = Digest()
        for text in [
            identity.family, identity.shapeDigest, identity.weightsDigest ?? "", corpus.digest,
            "\(identity.branches) \(identity.layers) \(identity.heads) \(identity.headWidth)",
            (schedule.grids + [schedule.ropeGrid]).map { "\($0.height)x\($0.width)" }.joined(separator: " "),
            "\(corpus.promptCount)", "\(settings.topCounts) \(settings.seed) \(settings.guidance)",
            "\(settings.temperature) \(settings.topP) \(settings.topK)", settings.toolVersion,
        ] {
            digest.update(field: text)
        }
        if settings.arithmetic != .float32 { digest.update(field: settings.arithmetic.rawValue) }
        for entry in journal {
            digest.update(field: "\(entry.corpusIndex)")
            digest.update(field: entry.promptDigest)
        }
        Self.update(&digest, counts) { UInt64(bitPattern: Int64($0)) }
        for statistic in Statistic.all { Self.update(&digest, sums[statistic], pattern: \.bitPattern) }
        digest.update(field: "\(settings.signCount) signs of \(sketches.promptCount) prompts")
        for sketch in Sketch.all { Self.update(&digest, sketches[sketch], pattern: \.bitPattern) }
        digest.update(field: "\(settings.sensitivityPrompts) probed, \(responses.count) rows")
        for response in responses {
            Self.update(&digest, response.squaredError, pattern: \.bitPattern)
            Self.update(&digest, response.divergence, pattern: \.bitPattern)
        }
        if hasStorageErrors {
            digest.update(field: settings.storageFormats.map(\.name).joined(separator: " "))
            for values in storageErrors.flatMap(\.values) { Self.update(&digest, values, pattern: \.bitPattern) }
        }
        return digest.finalise()
    }

    /// Adds the patterns piece by piece: the sums per history position may take half the memory there is.
    private static func update<Value, Pattern: FixedWidthInteger>(
        _ digest: inout Digest, _ values: [Value], pattern: (Value) -> Pattern
    ) {
        for start in stride(from: 0, to: values.count, by: 1 << 16) {
            let piece = values[start..<min(start + (1 << 16), values.count)].map { pattern($0).littleEndian }
            piece.withUnsafeBytes { digest.update($0) }
        }
    }
}
