import VernierCore

/// The share of bits, or of tokens, on which two runs agree, 0 to 1; two unrelated runs agree on about half of the bits.
public enum BitAgreement {
    /// `equal / count` over two sequences of equal length, one element a bit (or a token).
    ///
    /// Throws ``VernierCore/VernierError/Code/mismatch`` if the counts differ and
    /// ``VernierCore/VernierError/Code/emptyInput`` if there is nothing to compare.
    public static func share<Bits: Collection>(_ bits: Bits, _ reference: Bits) throws -> Double
    where Bits.Element: Equatable {
        guard bits.count == reference.count else {
            throw VernierError(.mismatch, at: "bits", expected: "\(reference.count) bits", found: "\(bits.count)")
        }
        guard !bits.isEmpty else {
            throw VernierError(.emptyInput, at: "bits", expected: "at least one bit", found: "none")
        }
        var equal = 0
        for (a, b) in zip(bits, reference) where a == b { equal += 1 }
        return Double(equal) / Double(bits.count)
    }
}
