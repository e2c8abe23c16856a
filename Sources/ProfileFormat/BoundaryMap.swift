#if canImport(Glibc)
import Glibc
#elseif canImport(Darwin)
import Darwin
#endif

/// What one cell does when a scale has finished: every source goes to one slot of the next scale, or is dropped.
///
/// Sources are the cell's old slots in order and then the `n_{k-1}` tokens of the scale just finished. Slots are numbered
/// by their first source, so that every map has one form. A slot's key is `sum of c_s k_s` over its sources s, its value
/// likewise; with the plain coefficient `members(source) / members(slot)` that is a running mean over the history
/// positions the slot stands for. Means may go by measured weights, in 8-bit codes; coefficients and biases that were
/// fitted are stored as 16-bit codes.
public struct BoundaryMap: Sendable, Hashable {
    /// The target of a source that is dropped.
    public static let dropped = UInt16.max
    /// Steps of a coefficient from 0 to 1: a code c stands for `c / 8192`, from -4 to just below 4.
    public static let coefficientSteps: Float = 8192
    /// One step of a bias: a code c stands for the plain bias, the log of the slot's members, plus `c / 1024` nats.
    public static let biasSteps: Float = 1024
    /// Steps of a weight in one halving: a code c stands for `2^(-c / 16)`, 1 to 2^-16, to within 2.2 %.
    public static let weightSteps: Float = 16
    /// The most slots of a cell.
    public static let largestSlotCount = Int(UInt16.max) - 1

    /// Old slots and new tokens.
    public let sourceCount: Int
    /// Slots after the boundary.
    public let slotCount: Int
    /// The slot of each source, or ``dropped``; empty if every source keeps its place (``isIdentity``).
    public let targets: [UInt16]
    /// How much each history position of a source counts in its slot's means beside those of the source that counts most,
    /// one code a source (``weightSteps``); empty if all count alike. A coefficient is the source's members times its
    /// weight, over the sum of that over the slot.
    public let weightCodes: [UInt8]
    /// Fitted key and value coefficients, one code a source; see ``coefficientSteps``. Without key codes keys go by
    /// the weights; without value codes values have the coefficients of the keys.
    public let keyCodes: [Int16]
    public let valueCodes: [Int16]
    /// Fitted biases, one code a slot; empty for the log of the slot's members. See ``biasSteps``.
    public let biasCodes: [Int16]

    /// Whether every source becomes a slot of its own, as it was.
    public var isIdentity: Bool { targets.isEmpty && sourceCount == slotCount }

    /// A map under which everything stays.
    public init(keeping sourceCount: Int) {
        self.sourceCount = sourceCount
        slotCount = sourceCount
        targets = []
        weightCodes = []
        keyCodes = []
        valueCodes = []
        biasCodes = []
    }

    /// A map from groups: sources with the same label share a slot, nil is dropped. Slots are numbered by their first
    /// source, whatever the labels; a map that keeps everything apart is the identity.
    public init(labels: [Int?]) {
        var slots: [Int: UInt16] = [:]
        let targets = labels.map { label -> UInt16 in
            guard let label else { return Self.dropped }
            if let slot = slots[label] { return slot }
            let slot = UInt16(clamping: slots.count)
            slots[label] = slot
            return slot
        }
        self.init(targets: targets, slotCount: slots.count)
    }

    /// A map that drops some sources and keeps the others apart, in order.
    public init(kept: [Bool]) {
        var slots = 0
        let targets = kept.map { isKept -> UInt16 in
            guard isKept else { return Self.dropped }
            defer { slots += 1 }
            return UInt16(clamping: slots)
        }
        self.init(targets: targets, slotCount: slots)
    }

    /// A map from its targets; the plan that takes it up checks them.
    init(
        targets: [UInt16], slotCount: Int, weightCodes: [UInt8] = [], keyCodes: [Int16] = [], valueCodes: [Int16] = [],
        biasCodes: [Int16] = []
    ) {
        sourceCount = targets.count
        self.slotCount = slotCount
        self.targets = targets.count == slotCount ? [] : targets
        self.weightCodes = weightCodes
        self.keyCodes = keyCodes
        self.valueCodes = valueCodes
        self.biasCodes = biasCodes
    }

    /// The same groups with means that go by weights: one positive number a source, how much each of its history positions
    /// counts. Only their proportions within a slot matter; what counts less than 2^-16 of the most is rounded up.
    /// - Precondition: there is one finite, positive number a source.
    public func weighted(by weights: [Float]) -> BoundaryMap {
        precondition(weights.count == sourceCount, "one number a source")
        guard !isIdentity else { return self }
        var most = [Float](repeating: 0, count: slotCount)
        for (source, target) in targets.enumerated() where target != Self.dropped {
            most[Int(target)] = max(most[Int(target)], weights[source])
        }
        let codes = targets.enumerated().map { source, target -> UInt8 in
            guard target != Self.dropped else { return 0 }
            let halvings = log2f(most[Int(target)] / weights[source])
            return UInt8(min(max((halvings * Self.weightSteps).rounded(), 0), 255))
        }
        return BoundaryMap(targets: targets, slotCount: slotCount, weightCodes: codes)
    }

    /// The same groups with fitted numbers: coefficients, one a source, and steps in nats from the plain biases, one a
    /// slot. Without key coefficients keys stay as they were; without value coefficients values have those of the keys;
    /// without steps biases are plain. What lies beyond the codes is clamped to them; a source that is alone in its slot
    /// keeps the coefficient 1, and what is dropped 0.
    /// - Precondition: the arrays are empty or as long as sources and slots; numbers are finite.
    public func fitted(
        keyCoefficients: [Float] = [], valueCoefficients: [Float] = [], biasSteps: [Float] = []
    ) -> BoundaryMap {
        precondition(
            (keyCoefficients.isEmpty || keyCoefficients.count == sourceCount)
                && (valueCoefficients.isEmpty || valueCoefficients.count == sourceCount)
                && (biasSteps.isEmpty || biasSteps.count == slotCount), "one number a source or slot")
        guard !isIdentity else { return self }
        let alone = isAlone
        func codes(_ coefficients: [Float]) -> [Int16] {
            coefficients.indices.map {
                if targets[$0] == Self.dropped { return 0 }
                return alone[$0] ? Int16(Self.coefficientSteps) : Self.code(coefficients[$0], Self.coefficientSteps)
            }
        }
        return BoundaryMap(
            targets: targets, slotCount: slotCount, weightCodes: keyCoefficients.isEmpty ? weightCodes : [],
            keyCodes: codes(keyCoefficients),
            valueCodes: codes(valueCoefficients), biasCodes: biasSteps.map { Self.code($0, Self.biasSteps) })
    }

    private static func code(_ number: Float, _ steps: Float) -> Int16 {
        Int16(min(max((number * steps).rounded(), Float(Int16.min)), Float(Int16.max)))
    }

    /// Whether each source is the only one of its slot; false for what is dropped.
    public var isAlone: [Bool] {
        guard !isIdentity else { return Array(repeating: true, count: sourceCount) }
        var sources = [Int](repeating: 0, count: slotCount)
        for target in targets where target != Self.dropped { sources[Int(target)] += 1 }
        return targets.map { $0 != Self.dropped && sources[Int($0)] == 1 }
    }

    /// Whether each source shares its slot with another; such sources have coefficients of their own in a file.
    var isShared: [Bool] {
        let alone = isAlone
        return alone.indices.map { !alone[$0] && (isIdentity || targets[$0] != Self.dropped) }
    }
}
