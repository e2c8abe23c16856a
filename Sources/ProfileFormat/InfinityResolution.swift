import VernierCore

/// How many scales of an aspect template an Infinity model draws: the official pixel budgets.
///
/// Source: `models.md` section 3.2, FoundationVision/Infinity: `infinity/utils/dynamic_resolution.py`.
public struct InfinityResolution: Sendable, Hashable, CustomStringConvertible {
    /// The official name, for example `0.25M`.
    public let name: String
    /// The scales that are drawn, from the first.
    public let scaleCount: Int
    /// Millions of pixels, about, as the name has them.
    private let megapixels: Double

    /// 7 scales, 256 x 256 pixels in a square.
    public static let smallest = InfinityResolution(name: "0.06M", scaleCount: 7, megapixels: 0.06)
    /// 10 scales, 512 x 512 pixels in a square.
    public static let quarter = InfinityResolution(name: "0.25M", scaleCount: 10, megapixels: 0.25)
    /// 12 scales, 768 x 768 pixels in a square.
    public static let middle = InfinityResolution(name: "0.60M", scaleCount: 12, megapixels: 0.6)
    /// All 13 scales, 1024 x 1024 pixels in a square.
    public static let full = InfinityResolution(name: "1M", scaleCount: 13, megapixels: 1)

    /// Every resolution, from fewest pixels to most.
    public static let all = [smallest, quarter, middle, full]

    private init(name: String, scaleCount: Int, megapixels: Double) {
        self.name = name
        self.scaleCount = scaleCount
        self.megapixels = megapixels
    }

    /// The resolution that `text` names: `0.06M`, `0.25M`, `0.60M` or `1M`; zeros at the end do not matter.
    ///
    /// Throws ``VernierError/Code/invalidArgument`` with all names.
    public init(named text: String) throws {
        let number = text.last == "M" || text.last == "m" ? Double(text.dropLast()) : nil
        guard let number, let found = Self.all.first(where: { $0.megapixels == number }) else {
            throw VernierError(
                .invalidArgument, at: "resolution \(JSONValue.quoted(text))",
                expected: "one of \(Self.all.map(\.name).joined(separator: ", "))", found: "another")
        }
        self = found
    }

    /// The official name.
    public var description: String { name }
}
