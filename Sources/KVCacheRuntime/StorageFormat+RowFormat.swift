import ProfileFormat
import TensorKernels

extension StorageFormat {
    /// How the rows of a cell in this format are stored.
    package var rowFormat: RowFormat {
        switch self {
        case .bfloat16: .bfloat16
        case .int8: .int8
        case .int4: .int4
        default: .float32
        }
    }
}
