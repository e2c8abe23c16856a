import Crypto

/// SHA-256 over bytes handed in piece by piece, as 64 hexadecimal digits.
public struct Digest {
    private var hash = SHA256()

    /// Starts an empty digest.
    public init() {}

    /// Adds bytes.
    public mutating func update(_ bytes: UnsafeRawBufferPointer) { hash.update(bufferPointer: bytes) }

    /// Adds the UTF-8 form of `text`, followed by a zero byte so that neighbouring fields cannot run together.
    public mutating func update(field text: String) {
        hash.update(data: Array(text.utf8))
        hash.update(data: [0])
    }

    /// The digest in lower-case hexadecimal.
    public consuming func finalise() -> String { Self.hexadecimal(hash.finalize()) }

    /// The digest of one run of bytes.
    public static func of(_ bytes: UnsafeRawBufferPointer) -> String {
        var digest = Digest()
        digest.update(bytes)
        return digest.finalise()
    }

    /// The digest of an array of bytes.
    public static func of(_ bytes: [UInt8]) -> String { bytes.withUnsafeBytes { of($0) } }

    private static func hexadecimal(_ bytes: some Sequence<UInt8>) -> String {
        let digits = Array("0123456789abcdef".utf8)
        return String(decoding: bytes.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }, as: UTF8.self)
    }
}
