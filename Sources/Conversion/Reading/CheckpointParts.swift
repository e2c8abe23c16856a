import Checkpoints
import VernierCore

/// The parts of one model among files of weights.
struct CheckpointParts {
    /// What the transformer is.
    enum Family {
        case infinity, `var`
    }

    let family: Family
    let transformer: FoundPart
    let tokenizer: FoundPart
    /// Infinity's; nil for VAR.
    let textEncoder: FoundPart?
    /// What was found and is not used, for people.
    let notes: [String]

    /// Finds them.
    ///
    /// Throws ``VernierError/Code/mismatch`` naming all parts that are missing, or what is there several times.
    init(_ sources: [WeightsSource]) throws {
        let searched = sources.map(\.tensors.sourceName)
        let infinity = FoundPart.find([InfinitySizes.anchor], in: sources)
        let classes = FoundPart.find([VARSizes.anchor], in: sources)
        let tokenizers = FoundPart.find(TokenizerSizes.anchors, in: sources)
        let encoders = FoundPart.find([TextEncoderPart.anchor], in: sources)
        guard let transformer = try FoundPart.choose(infinity + classes, "transformer") else {
            throw VernierError(
                .mismatch, at: searched.joined(separator: ", "),
                expected: "a transformer: a tensor '\(InfinitySizes.anchor)' (Infinity) or '\(VARSizes.anchor)' (VAR)",
                found: "neither", remedy: "Give the file of the model besides those of its tokeniser and text encoder.")
        }
        let isInfinity = infinity.contains { $0.label == transformer.label }
        // A codebook tells the families' tokenisers apart.
        let (fitting, others) = tokenizers.reduce(into: ([FoundPart](), [FoundPart]())) { result, part in
            let hasCodebook = part.source.names.contains(part.prefix + TokenizerSizes.codebook)
            if hasCodebook == isInfinity { result.1.append(part) } else { result.0.append(part) }
        }
        let tokenizer = try FoundPart.choose(fitting, "image tokeniser")
        let encoder = isInfinity ? try FoundPart.choose(encoders, "text encoder") : nil
        var problems: [String] = [], remedies: [String] = []
        if tokenizer == nil {
            let kind = isInfinity ? "Infinity's image tokeniser" : "VAR's image tokeniser"
            problems.append(
                "expected \(kind), found "
                    + (others.isEmpty ? "none" : "the other family's in \(others[0].label)"))
            remedies.append(
                isInfinity
                    ? InfinitySizes.remedy(bits: (try? InfinitySizes(transformer).bits) ?? 0) : VARSizes.remedy)
        }
        if isInfinity, encoder == nil {
            problems.append("expected a T5 text encoder (a tensor '\(TextEncoderPart.anchor)'), found none")
            remedies.append(TextEncoderPart.remedy)
        }
        guard let tokenizer, problems.isEmpty else {
            throw VernierError(
                .mismatch, at: searched.joined(separator: ", "), problems: problems,
                remedy: remedies.joined(separator: " "))
        }
        let found = infinity + classes + tokenizers + encoders
        family = isInfinity ? .infinity : .var
        self.transformer = transformer.without(found)
        self.tokenizer = tokenizer.without(found)
        textEncoder = encoder?.without(found)
        let used = Set([transformer, tokenizer, encoder].compactMap(\.self?.label))
        notes =
            found.filter { !used.contains($0.label) }.map { "not used: \($0.label)" }
            + [transformer, tokenizer, encoder].compactMap { part in
                part.flatMap { $0.isAverage ? "moving averages, as there are no other weights: \($0.label)" : nil }
            }
    }
}
