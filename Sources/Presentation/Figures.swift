/// Numbers for people.
enum Figures {
    /// Three significant digits and a power of a thousand: `4.10 T`, `615 G`, `512`.
    static func short(_ value: Double) -> String {
        guard value >= 1000 else { return "\(Int(value.rounded()))" }
        var scaled = value
        var place = 0
        // 999.6 rounds to a thousand.
        while scaled >= 999.5, place < units.count - 1 {
            scaled /= 1000
            place += 1
        }
        let digits = scaled < 9.995 ? 2 : scaled < 99.95 ? 1 : 0
        return "\(fixed(scaled, digits)) \(units[place])"
    }

    /// Bytes in powers of a thousand: `8.27 GB`.
    static func bytes(_ count: Int) -> String {
        let text = short(Double(count))
        return count < 1000 ? "\(text) B" : "\(text)B"
    }

    /// A share in percent with one digit: `10.1 %`.
    static func percent(_ share: Double) -> String { "\(fixed(share * 100, 1)) %" }

    private static let units = ["", "k", "M", "G", "T", "P", "E"]

    /// So many decimals, rounded half away from zero; `value` is not negative.
    private static func fixed(_ value: Double, _ decimals: Int) -> String {
        let factor = decimals == 2 ? 100 : decimals == 1 ? 10 : 1
        guard value * Double(factor) < 0x1p62 else { return "\(value)" }
        let steps = Int((value * Double(factor)).rounded())
        guard decimals > 0 else { return "\(steps)" }
        let fraction = String(steps % factor)
        return "\(steps / factor)." + String(repeating: "0", count: decimals - fraction.count) + fraction
    }
}
