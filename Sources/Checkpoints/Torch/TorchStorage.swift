/// A run of elements in a torch file, which one tensor or several look into.
struct TorchStorage: Hashable, Sendable {
    /// The name of its entry: `<prefix>/data/<key>`.
    let key: String
    /// The type of its elements.
    let elementType: ElementType
    /// The number of its elements.
    let elementCount: Int
}
