import ArgumentParser

/// Numbers for the scales of a model, first scale first, separated by commas: `4`, or `1,3,5`; the last serves all later
/// scales.
struct ScaleNumbers: ExpressibleByArgument {
    let values: [Float]

    init?(argument: String) {
        let parts = argument.split(separator: ",", omittingEmptySubsequences: false)
        let values = parts.compactMap { Float($0) }
        guard !values.isEmpty, values.count == parts.count else { return nil }
        self.values = values
    }
}
