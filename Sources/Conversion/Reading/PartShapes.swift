import Checkpoints
import VernierCore

/// Reads sizes off the shapes of a part's tensors.
struct PartShapes {
    let part: FoundPart
    private let names: [String]

    /// The most blocks or levels that are counted: what `config.json` may say.
    private static let maximumCount = 1024

    init(_ part: FoundPart) {
        self.part = part
        names = part.names
    }

    /// Whether there is a tensor of that name.
    func has(_ name: String) throws -> Bool { try part.tensors.tensor(name) != nil }

    /// The extents of the first of some tensors that is there.
    ///
    /// Throws ``VernierError/Code/mismatch`` if there is none, it has another number of dimensions, or an extent is 0.
    func extents(_ accepted: String..., rank: Int) throws -> [Int] {
        for name in accepted {
            guard let tensor = try part.tensors.tensor(name) else { continue }
            guard tensor.shape.count == rank, !tensor.shape.contains(0) else {
                throw VernierError(
                    .mismatch, at: tensor.place, expected: "\(rank) dimensions, none of them empty",
                    found: "shape \(tensor.shape)", remedy: "Check that the weights are of a model that is supported.")
            }
            return tensor.shape
        }
        throw VernierError(
            .mismatch, at: part.label, expected: "a tensor '\(accepted.joined(separator: "' or '"))'", found: "none",
            remedy: "The checkpoint is incomplete, or of a model that is not supported.")
    }

    /// How many numbers follow `prefix` in the names, counted from 0 to the largest: blocks, chunks, levels.
    ///
    /// Throws ``VernierError/Code/mismatch`` for none, and for more than any model has.
    func count(after prefix: String) throws -> Int {
        var largest = -1
        for name in names where name.hasPrefix(prefix) {
            let digits = name.dropFirst(prefix.count).prefix { $0 != "." }
            guard digits.utf8.allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }) else { continue }
            guard let number = Int(digits), number < Self.maximumCount else {
                throw VernierError(
                    .mismatch, at: part.label, expected: "at most \(Self.maximumCount) of '\(prefix)'",
                    found: JSONValue.quoted(name))
            }
            largest = max(largest, number)
        }
        guard largest >= 0 else {
            throw VernierError(
                .mismatch, at: part.label, expected: "tensors '\(prefix)0...'", found: "none",
                remedy: "The checkpoint is incomplete, or of a model that is not supported.")
        }
        return largest + 1
    }

    /// Checks the part against what a model of the sizes found has: every tensor that was learned, of its shape, and in
    /// the folders of names `computed` none beyond them, because it would be left out of the computation.
    ///
    /// `alternatives` gives other accepted names of a tensor. Throws ``VernierError/Code/mismatch`` with all faults.
    /// Returns the names beyond the layout.
    @discardableResult
    func check(
        _ layout: CheckpointLayout, computed: [String], alternatives: (String) -> String? = { _ in nil }
    ) throws -> [String] {
        var requirements = TensorRequirements()
        var known: Set<String> = []
        for tensor in layout.tensors {
            known.insert(tensor.name)
            let other = alternatives(tensor.name)
            if let other { known.insert(other) }
            guard tensor.isParameter else { continue }
            if let other {
                requirements.add(tensor.name, other, shape: tensor.shape)
            } else {
                requirements.add(tensor.name, shape: tensor.shape)
            }
        }
        try requirements.check(part.tensors)
        let beyond = names.filter { !known.contains($0) }
        let lost = beyond.filter { name in computed.contains { name.hasPrefix($0) } }
        guard lost.isEmpty else {
            throw VernierError(
                .mismatch, at: part.label, expected: "only the tensors of a model that is supported",
                found: lost.prefix(5).map { "'\($0)'" }.joined(separator: ", ")
                    + (lost.count > 5 ? " and \(lost.count - 5) more" : ""),
                remedy: "This is another architecture; its pictures would be wrong.")
        }
        return beyond
    }
}
