/// Tensors held in memory, for tests and for conversions.
public struct InMemoryTensors: TensorSource {
    private let tensors: [String: TensorView]
    public let sourceName: String
    public let tensorNames: [String]

    /// Holds `tensors`; of two with the same name the later one counts.
    public init(_ tensors: [TensorView], named sourceName: String = "memory") {
        self.tensors = Dictionary(tensors.map { ($0.name, $0) }, uniquingKeysWith: { $1 })
        self.sourceName = sourceName
        self.tensorNames = self.tensors.keys.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
    }

    public func tensor(_ name: String) -> TensorView? { tensors[name] }
}
