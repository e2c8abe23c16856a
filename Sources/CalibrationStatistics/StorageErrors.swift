import ProfileFormat

/// What storing the history in narrower formats did to the attention of one prompt's picture.
///
/// For every cell and format the mean over the queries of `norm2(gamma1 * W_o^h (o_format - o_full))^2`: the squared
/// error at the residual stream when the keys and values of the whole history are stored in the format, those of the
/// current map as computed.
public struct StorageErrors: Sendable, Equatable {
    /// `[format][cell]`, in the order of the settings' `storageFormats`; a cell's place is that of
    /// ``StatisticsLayout/cell(branch:layer:head:scale:)``. Zero where there is no history.
    public var values: [[Double]]

    /// Zeros for the cells of a layout.
    public init(layout: StatisticsLayout, formatCount: Int) {
        values = Array(repeating: Array(repeating: 0, count: layout.cellCount), count: formatCount)
    }

    /// The given values, whose lengths a check follows.
    package init(values: [[Double]]) { self.values = values }

    /// What forbids the use of these numbers in a layout; empty if nothing does.
    func problems(_ layout: StatisticsLayout, _ formats: [StorageFormat]) -> [String] {
        guard values.count == formats.count else {
            return ["expected storage errors of \(formats.count) formats, found those of \(values.count)"]
        }
        return zip(formats, values).flatMap { format, values -> [String] in
            if values.count != layout.cellCount {
                return ["expected \(layout.cellCount) storage errors of \(format), found \(values.count)"]
            }
            guard let cell = values.firstIndex(where: { !($0 >= 0 && $0.isFinite) }) else { return [] }
            return [
                "expected finite storage errors of \(format) that are not negative, found \(values[cell]) at "
                    + layout.cellName(cell)
            ]
        }
    }
}
