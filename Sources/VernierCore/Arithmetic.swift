/// In which precision linear layers, 3x3 convolutions and attention multiply.
public enum Arithmetic: String, Sendable, Hashable, CaseIterable {
    /// float32 products and sums: the rule. The same bits on every machine.
    case float32
    /// Products of numbers rounded to bfloat16, added in float32 (AVX512-BF16). Every factor is off by at most 2^-8 of
    /// itself, so a layer's output by at most about 2^-7 of the sum of its products' magnitudes (of a convolution: of the
    /// products that Winograd's filtering takes in place of its own). Attention rounds queries and keys, then
    /// probabilities (before they are divided by their sum) and values. Pictures differ visibly from those in float32 as
    /// those of any bfloat16 run do. Bits do not depend on rows or threads.
    case bfloat16
}
