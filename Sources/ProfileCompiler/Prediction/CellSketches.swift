#if canImport(Glibc)
import Glibc
#elseif canImport(Darwin)
import Darwin
#endif

/// What statistics say of the history positions of one cell: H positions, R signs.
struct CellSketches {
    /// R.
    let signs: Int
    /// `[H, R]` attention sketches of the scale's queries.
    let attention: [Float]
    /// `[H, R]` value sketches; more rows may follow.
    let values: [Float]
    /// `[H, R]` key sketches.
    let keys: [Float]
    /// `[H]` mean attention mass.
    let mass: [Double]

    /// H.
    var positions: Int { mass.count }

    /// The mass-weighted mean value of the history: what stands in for what is dropped.
    private var center: [Double] {
        let total = mass.reduce(0, +)
        return (0..<signs).map { sign in
            let sum = mass.indices.reduce(0.0) { $0 + mass[$1] * Double(values[$1 * signs + sign]) }
            return total > 0 ? sum / total : 0
        }
    }

    /// The squared error of the head's contribution to the residual stream when these slots stand for the history, mean
    /// over queries; see ``predictedDistortion(of:statistics:)`` for the formula.
    func squaredError(_ slots: [SlotMembers], keyWeight: Double) -> Double {
        let center = center
        var isKept = [Bool](repeating: false, count: positions), error = 0.0
        for slot in slots {
            for position in slot.positions { isKept[position] = true }
            if !slot.isUntouched { error += squaredError(slot, center: center, keyWeight: keyWeight) }
        }
        for position in 0..<positions where !isKept[position] {
            var attended = 0.0, distance = 0.0
            for sign in 0..<signs {
                let s = Double(attention[position * signs + sign])
                let v = Double(values[position * signs + sign]) - center[sign]
                attended += s * s
                distance += v * v
            }
            error += attended * distance
        }
        return error
    }

    private func squaredError(_ slot: SlotMembers, center: [Double], keyWeight: Double) -> Double {
        var value = [Double](repeating: 0, count: signs), key = value, joint = value
        var mass = 0.0
        for (member, position) in slot.positions.enumerated() {
            let row = position * signs
            let (k, v) = (Double(slot.keyCoefficients[member]), Double(slot.valueCoefficients[member]))
            for sign in 0..<signs {
                value[sign] += v * Double(values[row + sign])
                key[sign] += k * Double(keys[row + sign])
                joint[sign] += Double(attention[row + sign])
            }
            mass += self.mass[position]
        }
        var product = [Double](repeating: 0, count: signs * signs), spread = 0.0
        for position in slot.positions {
            let row = position * signs
            let offset = (0..<signs).map { Double(values[row + $0]) - value[$0] }
            for sign in 0..<signs {
                let attended = Double(attention[row + sign]), start = sign * signs
                for other in 0..<signs { product[start + other] += attended * offset[other] }
            }
            var distance = 0.0
            for sign in 0..<signs {
                let difference = Double(keys[row + sign]) - key[sign]
                distance += difference * difference
            }
            if mass > 0 { spread += self.mass[position] / mass * distance }
        }
        var attended = 0.0, reach = 0.0
        for sign in 0..<signs {
            attended += joint[sign] * joint[sign]
            reach += (value[sign] - center[sign]) * (value[sign] - center[sign])
        }
        let loss = 1 - exp(-spread / 2)
        return product.reduce(0) { $0 + $1 * $1 } + keyWeight * attended * loss * loss * reach
    }
}
