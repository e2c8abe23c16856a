// libFuzzer calls the function below with one input after the other; a trap is a finding.

import VernierCore

@testable import Checkpoints

#if canImport(Glibc)
import Glibc
#elseif canImport(Darwin)
import Darwin
#endif

/// What is fuzzed, by the environment variable FUZZ.
private enum Target: String {
    /// The input is a torch file.
    case torch
    /// The input is the pickle of a torch file with three storages.
    case pickle
    /// The input is a safetensors file.
    case safetensors
    /// The input is the index of sharded safetensors.
    case index

    static let chosen = {
        guard let name = getenv("FUZZ"), let target = Target(rawValue: String(cString: name)) else {
            fatalError("set FUZZ to torch, pickle, safetensors or index")
        }
        return target
    }()
}

@_cdecl("LLVMFuzzerTestOneInput") public func fuzz(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    let bytes = UnsafeRawBufferPointer(start: start, count: count)
    do {
        _ = try? WeightsFormat(bytes, name: "input")
        switch Target.chosen {
        case .torch: try read(bytes) { try TorchFile($0, owner: $1, name: "input") }
        case .pickle:
            let storages = [("0", 16), ("1", 8), ("2", 0)].map {
                (key: $0.0, content: [UInt8](repeating: 1, count: $0.1))
            }
            try ZipText(pickle: Array(bytes), storages: storages).bytes.withUnsafeBytes { zip in
                try read(zip) { try TorchFile($0, owner: $1, name: "input") }
            }
        case .safetensors: try read(bytes) { try SafetensorsFile($0, owner: $1, name: "input") }
        case .index:
            for shard in try ShardedSafetensors.map(bytes, name: "input").values {
                precondition(!shard.isEmpty && !shard.contains("/") && shard != "..")
            }
        }
    } catch let error as VernierError {
        precondition(!error.description.isEmpty)
    } catch {
        fatalError("an error of another type: \(error)")
    }
    return 0
}

/// Opens a copy of the input, of exactly its size, and reads every byte of every tensor.
private func read<Source: TensorSource>(
    _ bytes: UnsafeRawBufferPointer, open: (UnsafeRawBufferPointer, AnyObject) throws -> Source
) throws {
    let store = TensorBytes(copying: bytes)
    let source = try open(store.bytes, store)
    for name in source.tensorNames {
        guard let view = try source.tensor(name) else { fatalError("a name without a tensor: \(name)") }
        // Small files may describe 64 MiB; reading all of it again and again would be most of the fuzzer's work.
        guard view.bytes.count <= 1 << 16 else { continue }
        precondition(view.elementCount == view.shape.reduce(1, *))
        _ = view.withBytes { $0.reduce(UInt8(0), ^) }
        _ = try? view.float32()
        _ = try? view.int32()
    }
}
