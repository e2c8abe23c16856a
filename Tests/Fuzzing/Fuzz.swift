// libFuzzer calls the function below with one input after the other; a trap is a finding. See run.sh.

import VernierCore

#if canImport(Glibc)
import Glibc
#elseif canImport(Darwin)
import Darwin
#endif

/// What is fuzzed, by the environment variables FUZZ (the reader) and FUZZ_SHARDS (the folder of an index's shards).
private enum Chosen {
    static let reader = {
        guard let reader = FuzzedReader(rawValue: variable("FUZZ")) else {
            fatalError("set FUZZ to one of \(FuzzedReader.allCases.map(\.rawValue))")
        }
        return reader
    }()
    static let shards = variable("FUZZ_SHARDS")

    private static func variable(_ name: String) -> String { getenv(name).map { String(cString: $0) } ?? "" }
}

@_cdecl("LLVMFuzzerTestOneInput") public func fuzz(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    do {
        try Chosen.reader.read(UnsafeRawBufferPointer(start: start, count: count), shards: Chosen.shards)
    } catch let error as VernierError {
        precondition(!error.description.isEmpty)
    } catch {
        fatalError("\(error)")
    }
    return 0
}
