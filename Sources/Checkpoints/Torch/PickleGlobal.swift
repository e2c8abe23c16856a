/// The names that a state dict's pickle may import. They stand for fixed meanings here: nothing is imported or run.
///
/// The raw value is the import as it stands in the pickle, module and name.
enum PickleGlobal: String, Sendable {
    /// An empty dictionary when called.
    case orderedDictionary = "collections OrderedDict"
    /// `(storage, offset, size, stride, requires_grad, hooks)`: a tensor.
    case rebuildTensor = "torch._utils _rebuild_tensor_v2"
    /// `(tensor, requires_grad, hooks)`: the tensor.
    case rebuildParameter = "torch._utils _rebuild_parameter"
    /// `(function, type, arguments, state)`: the function's result.
    case rebuildFromType = "torch._tensor _rebuild_from_type_v2"
    /// The type above.
    case tensorClass = "torch Tensor"
    case doubleStorage = "torch DoubleStorage"
    case floatStorage = "torch FloatStorage"
    case halfStorage = "torch HalfStorage"
    case bfloat16Storage = "torch BFloat16Storage"
    case longStorage = "torch LongStorage"
    case intStorage = "torch IntStorage"
    case shortStorage = "torch ShortStorage"
    case charStorage = "torch CharStorage"
    case byteStorage = "torch ByteStorage"
    case boolStorage = "torch BoolStorage"

    /// The type of the elements, if this is a class of storages.
    var elementType: ElementType? { Self.elementTypes.first { $0.0 == self }?.1 }

    /// The class of storages for elements of a type.
    init?(storing elementType: ElementType) {
        guard let pair = Self.elementTypes.first(where: { $0.1 == elementType }) else { return nil }
        self = pair.0
    }

    private static let elementTypes: [(PickleGlobal, ElementType)] = [
        (.doubleStorage, .f64), (.floatStorage, .f32), (.halfStorage, .f16), (.bfloat16Storage, .bf16),
        (.longStorage, .i64), (.intStorage, .i32), (.shortStorage, .i16), (.charStorage, .i8), (.byteStorage, .u8),
        (.boolStorage, .bool),
    ]
}
