#if canImport(CryptoKit)
import CryptoKit
#else
import COpenSSL
#endif

/// SHA-256 over bytes handed in piece by piece, as 64 hexadecimal digits.
///
/// The system's: CryptoKit, or OpenSSL's libcrypto. The package swift-crypto would bring FoundationEssentials into every
/// program, 11 MB of a static one.
public struct Digest: ~Copyable {
    #if canImport(CryptoKit)
    private var hash = SHA256()

    /// Starts an empty digest.
    public init() {}

    /// Adds bytes.
    public mutating func update(_ bytes: UnsafeRawBufferPointer) { hash.update(bufferPointer: bytes) }

    /// The digest in lower-case hexadecimal.
    public consuming func finalise() -> String { Self.hexadecimal(hash.finalize()) }
    #else
    private let context: OpaquePointer

    /// Starts an empty digest.
    public init() {
        guard let context = EVP_MD_CTX_new(), EVP_DigestInit_ex(context, EVP_sha256(), nil) == 1 else {
            fatalError("libcrypto: no memory, or a configuration without SHA-256")
        }
        self.context = context
    }

    deinit { EVP_MD_CTX_free(context) }

    /// Adds bytes.
    public mutating func update(_ bytes: UnsafeRawBufferPointer) {
        let added = EVP_DigestUpdate(context, bytes.baseAddress, bytes.count)
        precondition(added == 1, "libcrypto refused to go on with a digest")
    }

    /// The digest in lower-case hexadecimal.
    public consuming func finalise() -> String {
        Self.hexadecimal(
            [UInt8](unsafeUninitializedCapacity: Int(EVP_MAX_MD_SIZE)) { bytes, count in
                var length: UInt32 = 0
                let ended = EVP_DigestFinal_ex(context, bytes.baseAddress, &length)
                precondition(ended == 1, "libcrypto could not end a digest")
                count = Int(length)
            })
    }
    #endif

    /// Adds the UTF-8 form of `text`, followed by a zero byte so that neighbouring fields cannot run together.
    public mutating func update(field text: String) {
        update(bytes: Array(text.utf8))
        update(bytes: [0])
    }

    /// The digest of one run of bytes.
    public static func of(_ bytes: UnsafeRawBufferPointer) -> String {
        var digest = Digest()
        digest.update(bytes)
        return digest.finalise()
    }

    /// The digest of an array of bytes.
    public static func of(_ bytes: [UInt8]) -> String { bytes.withUnsafeBytes { of($0) } }

    private mutating func update(bytes: [UInt8]) { bytes.withUnsafeBytes { update($0) } }

    private static func hexadecimal(_ bytes: some Sequence<UInt8>) -> String {
        let digits = Array("0123456789abcdef".utf8)
        return String(decoding: bytes.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }, as: UTF8.self)
    }
}
