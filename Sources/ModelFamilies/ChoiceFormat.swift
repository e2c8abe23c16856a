/// What a model chooses for every token: D bits (Infinity), or one of V codebook entries (VAR).
///
/// Logits stand accordingly: `values` logits for each of a token's `perToken` choices, `[n_k, perToken * values]`.
public struct ChoiceFormat: Sendable, Hashable {
    /// Choices of one token.
    public let perToken: Int
    /// The values that a choice may have, 0 ..< `values`.
    public let values: Int

    /// D bits a token.
    public static func bits(_ count: Int) -> ChoiceFormat { ChoiceFormat(perToken: count, values: 2) }
    /// One of `count` codebook entries a token.
    public static func codebook(_ count: Int) -> ChoiceFormat { ChoiceFormat(perToken: 1, values: count) }

    /// Logits of one token.
    public var logitsPerToken: Int { perToken * values }
    /// What one choice is called: `bit` or `token`.
    public var name: String { perToken > 1 || values == 2 ? "bit" : "token" }
}
