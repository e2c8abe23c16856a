import ProfileFormat

#if canImport(Glibc)
import Glibc
#elseif canImport(Darwin)
import Darwin
#endif

/// Cosines and sines of the 2-D rotary embedding of every scale (`models.md` section 3.5).
///
/// A token at (y, x) of a grid (h, w) sits at `round_half_even(y * Uh / h)`, `round_half_even(x * Uw / w)` of the
/// reference grid (Uh, Uw). Pairs 0 ..< F (F = D/4) turn by `Y * 10000^(-j/F)`, pairs F ..< 2F by `X * ...`.
public struct RotaryTables: Sendable {
    /// Per scale `[n_k, D/2]`, row-major.
    public let cosines: [[Float]]
    public let sines: [[Float]]

    /// Computes the tables of a schedule for heads of `headWidth`.
    /// - Precondition: `headWidth` is a multiple of 4.
    public init(schedule: ScaleSchedule, headWidth: Int) {
        precondition(headWidth % 4 == 0, "headWidth is a multiple of 4")
        let frequencies = headWidth / 4
        let inverse = (0..<frequencies).map { pow(10000, -Double($0) / Double(frequencies)) }
        var cosines: [[Float]] = [], sines: [[Float]] = []
        for grid in schedule.grids {
            let positions = Self.positions(grid: grid, reference: schedule.ropeGrid)
            let angles = positions.flatMap { position in
                inverse.map { Double(position.y) * $0 } + inverse.map { Double(position.x) * $0 }
            }
            cosines.append(angles.map { Float(cos($0)) })
            sines.append(angles.map { Float(sin($0)) })
        }
        self.cosines = cosines
        self.sines = sines
    }

    /// The rounded positions of a grid's tokens, row-major.
    public static func positions(
        grid: ScaleSchedule.Grid, reference: ScaleSchedule.Grid
    ) -> [(y: Int, x: Int)] {
        (0..<grid.height).flatMap { y in
            (0..<grid.width).map { x in
                (roundedQuotient(y * reference.height, grid.height), roundedQuotient(x * reference.width, grid.width))
            }
        }
    }

    /// `a / b` rounded half to even, exactly.
    static func roundedQuotient(_ a: Int, _ b: Int) -> Int {
        let (quotient, remainder) = a.quotientAndRemainder(dividingBy: b)
        if 2 * remainder != b { return 2 * remainder > b ? quotient + 1 : quotient }
        return quotient % 2 == 0 ? quotient : quotient + 1
    }
}
