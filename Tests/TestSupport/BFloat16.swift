/// The bfloat16 number nearest to `x`, ties to even.
public func nearestBFloat16(_ x: Float) -> Double {
    let bits = x.bitPattern
    return Double(Float(bitPattern: (bits &+ 0x7FFF &+ (bits >> 16 & 1)) & 0xFFFF_0000))
}
