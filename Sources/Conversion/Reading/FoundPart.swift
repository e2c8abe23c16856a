import Checkpoints
import VernierCore

/// A part of a model, found in a file of weights by a tensor that only this part has.
struct FoundPart {
    let source: WeightsSource
    /// What stands before the official names: the keys of dictionaries around it.
    let prefix: String
    /// Prefixes of other parts in the same file that begin with this one.
    var foreignPrefixes: [String] = []

    /// The part's tensors under their official names.
    var tensors: PrefixedTensors { source.tensors.tensors(under: prefix) }

    /// The official names.
    var names: [String] {
        source.names.filter { name in
            name.hasPrefix(prefix) && !foreignPrefixes.contains { name.hasPrefix($0) }
        }.map { String($0.dropFirst(prefix.count)) }
    }

    /// The part without what belongs to others in the same file, in dictionaries below its own.
    func without(_ others: [FoundPart]) -> FoundPart {
        var part = self
        part.foreignPrefixes = others.filter { $0.source.path == source.path }.map(\.prefix)
            .filter { $0 != prefix && $0.hasPrefix(prefix) }
        return part
    }

    /// The file's name up to its first point, at most 200 bytes: the name of a model that has none.
    var stem: String {
        var name = source.tensors.sourceName.prefix { $0 != "." }
        while name.utf8.count > 200 { name.removeLast() }
        return name.isEmpty ? "model" : String(name)
    }

    /// The file, and the place in it.
    var label: String {
        let name = source.tensors.sourceName
        return prefix.isEmpty ? name : "\(name), under '\(prefix.dropLast())'"
    }

    /// Whether these are moving averages of a training run's weights, by the keys around them.
    var isAverage: Bool {
        prefix.split { $0 == "." || $0 == "_" }.contains { $0.lowercased() == "ema" }
    }

    /// Every place where one of the `anchors` stands, whatever stands before it.
    static func find(_ anchors: [String], in sources: [WeightsSource]) -> [FoundPart] {
        sources.flatMap { source in
            source.names.compactMap { name -> FoundPart? in
                guard let anchor = anchors.first(where: { name.hasSuffix($0) }) else { return nil }
                let prefix = String(name.dropLast(anchor.count))
                guard prefix.isEmpty || prefix.hasSuffix(".") else { return nil }
                return FoundPart(source: source, prefix: prefix)
            }
        }
    }

    /// The one to take: weights before their moving averages, as the official loaders do.
    ///
    /// Throws ``VernierError/Code/mismatch`` if there are several.
    static func choose(_ candidates: [FoundPart], _ what: String) throws -> FoundPart? {
        let plain = candidates.filter { !$0.isAverage }
        let pool = plain.isEmpty ? candidates : plain
        guard pool.count < 2 else {
            throw VernierError(
                .mismatch, at: "checkpoint", expected: "one \(what)",
                found: "\(pool.count): \(pool.prefix(5).map(\.label).joined(separator: "; "))",
                remedy: "Name the files to convert, one of each part.")
        }
        return pool.first
    }
}
