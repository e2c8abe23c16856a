import CPNGShim
import Generation
import VernierCore

/// Reads and writes PNG files.
public enum PNGFile {
    /// The longest side read or written, in pixels.
    public static let maximumSide = 16_384
    /// The most pixels read or written: 2^26, or 192 MiB of RGB.
    public static let maximumPixels = 1 << 26

    /// Writes `picture` to `path`, whole or not at all; the same picture gives the same bytes.
    ///
    /// Throws ``VernierCore/VernierError/Code/invalidArgument`` if the picture is beyond the limits, and
    /// ``VernierCore/VernierError/Code/fileAccess`` if the file cannot be written.
    public static func write(_ picture: Picture, to path: String) throws {
        try AtomicFile.write(encode(picture), to: path)
    }

    /// Reads the picture at `path`.
    ///
    /// Throws ``VernierCore/VernierError/Code/fileAccess`` if the file cannot be read, and
    /// ``VernierCore/VernierError/Code/malformedFile`` if it is no PNG, is damaged, or is beyond the limits.
    public static func read(_ path: String) throws -> Picture {
        let file = try MappedFile(path: path)
        return try file.withBytes { try decode($0, name: file.name) }
    }

    /// Encodes a picture as 8-bit RGB without time or text chunks: the same picture gives the same bytes, with the same
    /// libpng and zlib.
    public static func encode(_ picture: Picture) throws -> [UInt8] {
        if let problem = limitProblem(width: picture.width, height: picture.height) {
            throw VernierError(.invalidArgument, at: "PNG", problems: [problem])
        }
        let (width, height) = (UInt32(picture.width), UInt32(picture.height))
        var message = [CChar](repeating: 0, count: messageBytes)
        var succeeded = false
        let bytes = [UInt8](unsafeUninitializedCapacity: vernier_png_capacity(width, height)) { file, count in
            guard let start = file.baseAddress else { return }
            var written = file.count
            succeeded = vernier_png_write(picture.pixels, width, height, start, &written, &message) == 1
            count = succeeded ? written : 0
        }
        guard succeeded else {
            throw VernierError(.outOfMemory, at: "PNG", problems: ["libpng cannot encode: \(text(message))"])
        }
        return bytes
    }

    /// Decodes a PNG file of any kind to 8-bit RGB in sRGB; transparent parts are laid on white.
    public static func decode(_ file: UnsafeRawBufferPointer, name: String) throws -> Picture {
        var message = [CChar](repeating: 0, count: messageBytes)
        var (width, height) = (UInt32(0), UInt32(0))
        guard let start = file.assumingMemoryBound(to: UInt8.self).baseAddress else {
            throw VernierError(.malformedFile, at: name, expected: "a PNG file", found: "no bytes")
        }
        guard vernier_png_read_size(start, file.count, &width, &height, &message) == 1 else {
            throw VernierError(.malformedFile, at: name, expected: "a PNG file", found: "\(text(message))")
        }
        if let problem = limitProblem(width: Int(width), height: Int(height)) {
            throw VernierError(.malformedFile, at: name, problems: [problem])
        }
        var succeeded = false
        let pixels = [UInt8](unsafeUninitializedCapacity: Int(width) * Int(height) * 3) { rgb, count in
            guard let pixels = rgb.baseAddress else { return }
            // The array may own more room than it was asked for; libpng is told the picture's own size.
            count = Int(width) * Int(height) * 3
            pixels.initialize(repeating: 0, count: count)
            succeeded = vernier_png_read_pixels(start, file.count, pixels, count, &message) == 1
        }
        guard succeeded else {
            throw VernierError(
                .malformedFile, at: name, expected: "a whole PNG file of \(width) x \(height) pixels",
                found: "damage: \(text(message))", remedy: "Copy or write the file again.")
        }
        return try Picture(width: Int(width), height: Int(height), pixels: pixels)
    }

    private static let messageBytes = 64

    private static func text(_ message: [CChar]) -> String {
        String(decoding: message.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
    }

    private static func limitProblem(width: Int, height: Int) -> String? {
        guard width > maximumSide || height > maximumSide || width * height > maximumPixels else { return nil }
        return "expected at most \(maximumSide) pixels a side and \(maximumPixels) in all, found \(width) x \(height)"
    }
}
