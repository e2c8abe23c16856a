import VernierCore

/// The storage format of every cell: one for all, or a table over branch, layer and head. A cell keeps its format from
/// scale to scale, so that slots can be carried over as bytes.
///
/// A table in which all cells are alike is the same value as that one format.
public struct CellStorage: Sendable, Hashable, CustomStringConvertible {
    private let formats: [StorageFormat]  // one, or [branch][layer][head]
    private let branchCount: Int
    private let layerCount: Int
    private let headCount: Int

    /// Every cell in 32-bit floats, as computed.
    public static let float32 = CellStorage(uniform: .float32)
    /// Every cell in ``StorageFormat/bfloat16``.
    public static let bfloat16 = CellStorage(uniform: .bfloat16)
    /// Every cell in ``StorageFormat/int8``.
    public static let int8 = CellStorage(uniform: .int8)
    /// Every cell in ``StorageFormat/int4``.
    public static let int4 = CellStorage(uniform: .int4)

    /// Every cell in `format`.
    public init(uniform format: StorageFormat) {
        formats = [format]
        (branchCount, layerCount, headCount) = (1, 1, 1)
    }

    /// Every cell in the format called `name`; nil if there is none.
    public init?(name: String) {
        guard let format = StorageFormat(name: name) else { return nil }
        self.init(uniform: format)
    }

    /// A table in the order [branch][layer][head]; 1 branch means that all share it.
    ///
    /// - Precondition: all counts are positive, and there are as many formats as their product.
    public init(branchCount: Int, layerCount: Int, headCount: Int, formats: [StorageFormat]) {
        precondition(branchCount > 0 && layerCount > 0 && headCount > 0, "all counts must be positive")
        precondition(formats.count == branchCount * layerCount * headCount, "one format per cell is needed")
        let isUniform = formats.allSatisfy { $0 == formats[0] }
        self.formats = isUniform ? [formats[0]] : formats
        self.branchCount = isUniform ? 1 : branchCount
        self.layerCount = isUniform ? 1 : layerCount
        self.headCount = isUniform ? 1 : headCount
    }

    /// The format of all cells; nil if they differ.
    public var uniform: StorageFormat? { formats.count == 1 ? formats[0] : nil }

    /// The format of a cell.
    ///
    /// - Precondition: the indices are in the table; any are if all cells are alike.
    public subscript(branch: Int, layer: Int, head: Int) -> StorageFormat {
        if formats.count == 1 { return formats[0] }
        let row = branchCount == 1 ? 0 : branch
        precondition(
            (0..<branchCount).contains(row) && (0..<layerCount).contains(layer) && (0..<headCount).contains(head),
            "no such cell")
        return formats[(row * layerCount + layer) * headCount + head]
    }

    /// The formats that occur, each once, from most bytes to fewest.
    public var occurring: [StorageFormat] {
        let present = Set(formats)
        return StorageFormat.knownNames.compactMap(StorageFormat.init(name:)).filter(present.contains)
    }

    /// The format's name, or `mixed`.
    public var name: String { uniform?.name ?? "mixed" }

    /// The format's name, or how many cells of one branch have which: `int8 in 12 cells, int4 in 20 cells`.
    public var description: String {
        if let uniform { return uniform.name }
        return occurring.map { format in
            let count = formats.reduce(0) { $0 + ($1 == format ? 1 : 0) }
            return "\(format) in \(count) \(count == 1 ? "cell" : "cells")"
        }.joined(separator: ", ")
    }

    /// What keeps this from being a table for the model, as readable sentences.
    public func problems(branches: Int, layers: Int, heads: Int) -> [String] {
        if uniform != nil { return [] }
        var problems: [String] = []
        if branchCount != 1 && branchCount != branches {
            problems.append("expected storage for 1 or \(branches) branches, found \(branchCount)")
        }
        for (word, expected, found) in [("layers", layers, layerCount), ("heads", heads, headCount)]
        where expected != found {
            problems.append("expected storage for \(expected) \(word), found \(found)")
        }
        return problems
    }
}

extension CellStorage {
    /// A name, or `{"cells": [branch][layer][head]}` with a name for each cell; a layer whose heads are all alike is
    /// one name.
    var jsonValue: JSONValue {
        if let uniform { return .string(uniform.name) }
        let branches = (0..<branchCount).map { branch in
            JSONValue.array(
                (0..<layerCount).map { layer in
                    let names = (0..<headCount).map { JSONValue.string(self[branch, layer, $0].name) }
                    return names.allSatisfy { $0 == names[0] } ? names[0] : .array(names)
                })
        }
        return ["cells": .array(branches)]
    }

    /// Reads what ``jsonValue`` writes, for a model of these sizes; nothing larger than the text is allocated before
    /// its rows are seen to be there.
    init(reading cursor: JSONCursor, model: ModelIdentity, remedy: String) throws {
        func format(_ cursor: JSONCursor) throws -> StorageFormat {
            guard let format = StorageFormat(name: try cursor.string()) else {
                throw VernierError(
                    .unsupportedVersion, at: cursor.place,
                    expected: "one of \(StorageFormat.knownNames.joined(separator: ", "))",
                    found: cursor.value.summary, remedy: remedy)
            }
            return format
        }
        guard case .object = cursor.value else {
            self.init(uniform: try format(cursor))
            return
        }
        try cursor.requireOnly(keys: ["cells"])
        let table = try cursor.member("cells"), branches = try table.elements()
        guard branches.count == 1 || branches.count == model.branches else {
            throw table.error(expected: "an array of 1 or \(model.branches) branches")
        }
        var formats: [StorageFormat] = []
        for branch in branches {
            for layer in try branch.elements(count: model.layers) {
                if case .array = layer.value {
                    formats += try layer.elements(count: model.heads).map(format)
                } else {
                    formats += repeatElement(try format(layer), count: model.heads)
                }
            }
        }
        self.init(
            branchCount: branches.count, layerCount: model.layers, headCount: model.heads, formats: formats)
    }
}
