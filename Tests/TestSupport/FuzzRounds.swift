#if canImport(Glibc)
import Glibc
#elseif canImport(Darwin)
import Darwin
#endif

/// How often a fuzz loop runs: `usual` times, or `VERNIER_FUZZ` times as often if that variable holds a number.
public func fuzzRounds(_ usual: Int) -> Int {
    usual * max(1, getenv("VERNIER_FUZZ").flatMap { Int(String(cString: $0)) } ?? 1)
}
