import ProfileFormat
import VernierCore

extension BudgetRequest {
    /// Reads a share such as `10%`; a bare number would read as tokens, so it is refused.
    ///
    /// Throws ``VernierError/Code/invalidArgument`` that names `option`, with `remedy`.
    static func share(_ text: String, option: String, remedy: String = "Write the percent sign.") throws
        -> BudgetRequest
    {
        guard text.hasSuffix("%") else {
            throw VernierError(
                .invalidArgument, at: option, expected: "a share such as 10%", found: JSONValue.quoted(text),
                remedy: remedy)
        }
        return try parse(text)
    }
}
