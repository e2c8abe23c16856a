/// What a weights file holds: parameters by part of the model, bytes by element type. Tensors are not read.
public struct TensorInventory: Sendable, Hashable {
    /// Parameters of one part.
    public struct Part: Sendable, Hashable {
        /// What the names of its tensors have in common, for example `sa` for self-attention in all blocks.
        public let name: String
        /// The numbers in its tensors.
        public var parameters: Int
    }

    /// Tensors of one element type.
    public struct Kind: Sendable, Hashable {
        public let elementType: ElementType
        public var tensors: Int
        public var bytes: Int
    }

    /// The file's name.
    public let name: String
    /// The parts, in the order of their names; buffers, which were not learned, are the last.
    public let parts: [Part]
    /// The element types that occur.
    public let kinds: [Kind]

    /// The part of tensors that were not learned: masks, indices and biases that are zero by construction.
    public static let buffers = "buffers"

    /// Takes stock of a source.
    public init(of source: some TensorSource) throws {
        name = source.sourceName
        var parameters: [String: Int] = [:], kinds: [ElementType: Kind] = [:]
        for name in source.tensorNames {
            let tensor = try source.view(name)
            let type = tensor.elementType
            parameters[Self.part(of: name, type: type), default: 0] += tensor.elementCount
            kinds[type, default: Kind(elementType: type, tensors: 0, bytes: 0)].tensors += 1
            kinds[type]?.bytes += tensor.elementCount * type.byteCount
        }
        parts = parameters.map { Part(name: $0.key, parameters: $0.value) }.sorted {
            $0.name == Self.buffers || $1.name == Self.buffers
                ? $1.name == Self.buffers && $0.name != Self.buffers
                : $0.name.utf8.lexicographicallyPrecedes($1.name.utf8)
        }
        self.kinds = ElementType.all.compactMap { kinds[$0] }
    }

    /// All that was learned.
    public var parameters: Int { parts.reduce(0) { $1.name == Self.buffers ? $0 : $0 + $1.parameters } }
    /// All tensors.
    public var bytes: Int { kinds.reduce(0) { $0 + $1.bytes } }

    /// What blocks are called in the official state dicts.
    private static let blocks = ["block_chunks.", "blocks.", "encoder.block."]
    private static let bufferNames: Set<Substring> = [
        "zero_k_bias", "lvl_1L", "attn_bias_for_masking", "ema_vocab_hit_SV", "mask",
    ]

    /// Of a block the member it belongs to, whatever the block's number; else the first part of the name.
    private static func part(of name: String, type: ElementType) -> String {
        let steps = name.split(separator: ".")
        guard [.f64, .f32, .f16, .bf16].contains(type), let last = steps.last, !bufferNames.contains(last) else {
            return buffers
        }
        let isBlock = blocks.contains { name.hasPrefix($0) }
        let number = isBlock ? steps.lastIndex { $0.allSatisfy(\.isNumber) } : nil
        guard let number, number + 1 < steps.count else { return String(steps.first ?? "") }
        return String(steps[number + 1])
    }
}
