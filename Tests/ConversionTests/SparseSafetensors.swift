import Foundation
import VernierCore

@testable import Conversion

/// Safetensors files of any size that take no room: a header, and holes in the place of weights.
enum SparseSafetensors {
    static func write(_ layout: CheckpointLayout, to path: String) throws {
        var root = JSONObject(), offset = 0
        for tensor in layout.tensors {
            let bytes = tensor.elementCount * (tensor.isInteger ? 8 : 4)
            root[tensor.name] = [
                "dtype": .string(tensor.isInteger ? "I64" : "F32"),
                "shape": .array(tensor.shape.map { .integer(Int64($0)) }),
                "data_offsets": [.integer(Int64(offset)), .integer(Int64(offset + bytes))],
            ]
            offset += bytes
        }
        let text = Array(try JSONValue.object(root).canonicalLine().utf8)
        try AtomicFile.write(withUnsafeBytes(of: UInt64(text.count).littleEndian) { Array($0) } + text, to: path)
        let file = try FileHandle(forUpdating: URL(fileURLWithPath: path))
        try file.truncate(atOffset: UInt64(8 + text.count + offset))
        try file.close()
    }
}
