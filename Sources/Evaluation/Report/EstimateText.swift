import Foundation

/// Numbers in tables for people.
package enum EstimateText {
    /// `31.20 (30.60 to 31.90)`; `-` for what was not measured.
    package static func cell(_ estimate: Estimate?, _ digits: Int, hasSign: Bool = false) -> String {
        guard let estimate else { return "-" }
        let mean = decimal(estimate.mean, digits, hasSign: hasSign)
        let low = decimal(estimate.low, digits, hasSign: hasSign)
        return "\(mean) (\(low) to \(decimal(estimate.high, digits, hasSign: hasSign)))"
    }

    /// A number with a fixed count of digits after the point; `equal` for an infinite one.
    package static func decimal(_ value: Double, _ digits: Int, hasSign: Bool = false) -> String {
        value.isFinite ? String(format: hasSign ? "%+.\(digits)f" : "%.\(digits)f", value) : "equal"
    }

    /// `1 prompt`, `2 prompts`.
    package static func counted(_ count: Int, _ noun: String) -> String { "\(count) \(noun)\(count == 1 ? "" : "s")" }
}
