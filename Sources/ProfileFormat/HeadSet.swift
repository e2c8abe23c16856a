/// A set of attention heads, for example the structural heads of HACK.
///
/// As text, one group of hexadecimal digits a layer, groups parted by dots; four heads a digit, the first head its
/// highest bit: `8.50` has head 0 of layer 0, and heads 1 and 3 of layer 1.
public struct HeadSet: Sendable, Hashable {
    /// [layer][head], as many heads a layer as its digits hold.
    private let members: [[Bool]]

    /// Makes a set from its members, `[layer][head]`.
    public init(_ members: [[Bool]]) {
        self.members = members.map { row in
            row + [Bool](repeating: false, count: (4 - row.count % 4) % 4)
        }
    }

    /// The set that `text` describes; nil if it describes none. An empty text is the empty set.
    public init?(text: String) {
        guard !text.isEmpty else {
            members = []
            return
        }
        let layers = text.split(separator: ".", omittingEmptySubsequences: false)
        guard FormatLimits.layers.contains(layers.count) else { return nil }
        var members: [[Bool]] = []
        for layer in layers {
            guard !layer.isEmpty, 4 * layer.utf8.count <= FormatLimits.heads.upperBound + 3 else { return nil }
            var row: [Bool] = []
            for digit in layer {
                guard digit.isASCII, !digit.isUppercase, let value = digit.hexDigitValue else { return nil }
                row += (0..<4).map { value & (8 >> $0) != 0 }
            }
            members.append(row)
        }
        self.members = members
    }

    /// The set as text; see ``HeadSet``.
    public var text: String {
        members.map { row in
            stride(from: 0, to: row.count, by: 4).map { first in
                String((0..<4).reduce(0) { $0 | (row[first + $1] ? 8 >> $1 : 0) }, radix: 16)
            }.joined()
        }.joined(separator: ".")
    }

    /// Whether a head is in the set; false for heads it does not know.
    public func contains(layer: Int, head: Int) -> Bool {
        members.indices.contains(layer) && members[layer].indices.contains(head) && members[layer][head]
    }
}
