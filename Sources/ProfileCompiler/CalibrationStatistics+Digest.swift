import CalibrationStatistics
import ProfileFormat
import VernierCore

extension CalibrationStatistics {
    /// SHA-256 over everything that was measured and how: equal statistics have equal digests, in whatever file.
    ///
    /// Numbers enter as little-endian bit patterns.
    func contentDigest() -> String {
        var digest = Digest()
        for text in [
            identity.family, identity.shapeDigest, identity.weightsDigest, corpus.digest,
            "\(identity.branches) \(identity.layers) \(identity.heads) \(identity.headWidth)",
            (schedule.grids + [schedule.ropeGrid]).map { "\($0.height)x\($0.width)" }.joined(separator: " "),
            "\(corpus.promptCount)", "\(settings.topCounts) \(settings.seed) \(settings.guidance)",
            "\(settings.temperature) \(settings.topP) \(settings.topK)", settings.toolVersion,
        ] {
            digest.update(field: text)
        }
        for entry in journal {
            digest.update(field: "\(entry.corpusIndex)")
            digest.update(field: entry.promptDigest)
        }
        Self.update(&digest, counts.map { UInt64(bitPattern: Int64($0)) })
        for statistic in Statistic.all { Self.update(&digest, sums[statistic].map(\.bitPattern)) }
        return digest.finalise()
    }

    private static func update(_ digest: inout Digest, _ patterns: [UInt64]) {
        patterns.map(\.littleEndian).withUnsafeBytes { digest.update($0) }
    }
}
