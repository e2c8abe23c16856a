/// All attention statistics of one layout: of one prompt's full-cache run, or summed over prompts.
///
/// Values are flat arrays in Float64; ``layout`` says where each number lies. All start at zero. The calibrator
/// fills one of these for each prompt (see ``PromptStatistics``) and may ``reset()`` and fill it again.
public struct AttentionStatistics: Sendable, Equatable {
    /// Where each number lies.
    public let layout: StatisticsLayout
    /// ``Statistic/currentMass`` `[G, L, H, K]`; see ``StatisticsLayout/cell(branch:layer:head:scale:)``.
    public var currentMass: [Double]
    /// ``Statistic/topMass`` `[G, L, H, K, T]`; see
    /// ``StatisticsLayout/topMassIndex(branch:layer:head:scale:topCountIndex:)``. A history shorter than a top count
    /// gives its whole mass.
    public var topMass: [Double]
    /// ``Statistic/sourceMass`` `[G, L, H, K, K]`; see
    /// ``StatisticsLayout/sourceMassIndex(branch:layer:head:scale:source:)``. Zero where the source is not before k.
    public var sourceMass: [Double]
    /// ``Statistic/rowEntropy`` `[G, L, H, K]`, nats.
    public var rowEntropy: [Double]
    /// ``Statistic/columnVariance`` `[G, L, H, K]`.
    public var columnVariance: [Double]
    /// ``Statistic/positionMass`` `[G, L, H, P]`; see ``StatisticsLayout/positions(branch:layer:head:scale:)``.
    public var positionMass: [Double]
    /// ``Statistic/positionWeight`` `[G, L, H, P]`; see ``StatisticsLayout/positions(branch:layer:head:scale:)``.
    public var positionWeight: [Double]

    /// Zeros.
    public init(layout: StatisticsLayout) {
        func zeros(_ statistic: Statistic) -> [Double] { Array(repeating: 0, count: layout.valueCount(of: statistic)) }
        self.layout = layout
        currentMass = zeros(.currentMass)
        topMass = zeros(.topMass)
        sourceMass = zeros(.sourceMass)
        rowEntropy = zeros(.rowEntropy)
        columnVariance = zeros(.columnVariance)
        positionMass = zeros(.positionMass)
        positionWeight = zeros(.positionWeight)
    }

    /// The given values of each of ``Statistic/all``, whose lengths the caller has checked.
    package init(layout: StatisticsLayout, values: [[Double]]) {
        self.layout = layout
        currentMass = values[0]
        topMass = values[1]
        sourceMass = values[2]
        rowEntropy = values[3]
        columnVariance = values[4]
        positionMass = values[5]
        positionWeight = values[6]
    }

    /// The values of any statistic, flat, in the order of ``StatisticsLayout/shape(of:)``.
    public subscript(statistic: Statistic) -> [Double] { self[keyPath: statistic.values] }

    /// Sets everything to zero without giving the memory back.
    public mutating func reset() {
        for statistic in Statistic.all { Self.zero(&self[keyPath: statistic.values]) }
    }

    private static func zero(_ values: inout [Double]) {
        values.withUnsafeMutableBufferPointer { $0.update(repeating: 0) }
    }
}

/// What one prompt's full-cache run showed.
public typealias PromptStatistics = AttentionStatistics
