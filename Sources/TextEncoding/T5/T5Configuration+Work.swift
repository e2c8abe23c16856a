extension T5Configuration {
    /// Floating-point operations that encode a prompt, a multiply-add counted as two: matrix products and attention
    /// (`models.md` section 5.2). A Double: whole, and exact up to 2^53.
    public func work(tokens: Int) -> Double {
        let n = Double(tokens), inner = Double(innerWidth), width = Double(width)
        let weights = 4 * width * inner + 3 * width * Double(mlpWidth)
        return Double(layers) * (2 * weights * n + 4 * inner * n * n)
    }
}
