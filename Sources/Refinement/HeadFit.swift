import ProfileFormat

/// Fits all boundary maps of one head, in order, so that each is fitted to the slots that the ones before make.
struct HeadFit {
    /// The maps of one head, and what the fit did.
    struct Result {
        var maps: [BoundaryMap] = []
        var errorBefore = 0.0
        var errorAfter = 0.0
        var fittedMaps = 0
        var confirmedMaps = 0
    }

    let plan: PoolingPlan
    let schedule: ScaleSchedule
    let branch: Int
    let layer: Int
    let head: Int
    /// Maps of at least this many queries are fitted to every other query.
    private let denseQueries = 64

    /// The slots of one sequence: keys, values and values in the metric.
    private struct State {
        var keys: Matrix
        var values: Matrix
    }

    /// Fits to `fitted` and keeps what `confirming` confirms.
    func run(fitted: [RecordedHead], confirming: [RecordedHead]) -> Result {
        let sequences = fitted + confirming
        let width = sequences.first?.queries.columns ?? 0
        let measured = sequences.map { $0.values.times(transposed: $0.metric.transposed) }
        var states = sequences.map { _ in
            State(keys: Matrix(rows: 0, columns: width), values: Matrix(rows: 0, columns: width))
        }
        var result = Result(maps: [plan.map(branch: branch, scale: 0, layer: layer, head: head)])
        for scale in 1..<max(schedule.scaleCount, 1) {
            let map = plan.map(branch: branch, scale: scale, layer: layer, head: head)
            let arriving = Array(schedule.historyTokens(scale - 1)..<schedule.historyTokens(scale))
            let sources = zip(states, sequences).map { state, sequence in
                State(
                    keys: state.keys.appending(sequence.keys.gathering(arriving)),
                    values: state.values.appending(sequence.values.gathering(arriving)))
            }
            guard !map.isIdentity else {
                states = sources
                result.maps.append(map)
                continue
            }
            let queries = schedule.tokenCount(scale)
            let data = sequences.indices.map { index in
                SlotFit.Sources(
                    keys: sources[index].keys,
                    values: sources[index].values.times(transposed: sequences[index].metric.transposed),
                    target: TargetScale(
                        sequences[index], history: schedule.historyTokens(scale), count: queries,
                        queryStep: queries >= denseQueries ? 2 : 1, measuredValues: measured[index]))
            }
            let coefficients = plan.coefficients(branch: branch, scale: scale, layer: layer, head: head)
            let plain = plan.plainBiases(branch: branch, scale: scale, layer: layer, head: head)
            let fit = SlotFit(
                slots: map.targets.map { $0 == BoundaryMap.dropped ? nil : Int($0) }, slotCount: map.slotCount,
                isFree: zip(map.isAlone, map.targets).map { !$0 && $1 != BoundaryMap.dropped })
            let pairs = map.targets.indices.map {
                map.targets[$0] == BoundaryMap.dropped ? (key: 0, value: 0) : coefficients.pair(source: $0)
            }
            let prior = SlotFit.Numbers(
                keys: pairs.map(\.key), values: pairs.map(\.value),
                biases: plan.biases(branch: branch, scale: scale, layer: layer, head: head))
            let found = fit.fit(prior, Array(data.prefix(fitted.count)))
            // Judged as the profile will hold them.
            let coded = map.fitted(
                keyCoefficients: found.keys, valueCoefficients: found.values,
                biasSteps: zip(found.biases, plain).map { $0 - $1 })
            let rounded = SlotFit.Numbers(
                keys: coded.keyCodes.map { Float($0) / BoundaryMap.coefficientSteps },
                values: coded.valueCodes.map { Float($0) / BoundaryMap.coefficientSteps },
                biases: zip(plain, coded.biasCodes).map { $0 + Float($1) / BoundaryMap.biasSteps })
            let judges = Array(data.suffix(confirming.count))
            let before = fit.error(prior, judges), after = fit.error(rounded, judges)
            let isConfirmed = after < before
            let kept = isConfirmed ? rounded : prior
            result.errorBefore += before
            result.errorAfter += min(before, after)
            result.fittedMaps += 1
            result.confirmedMaps += isConfirmed ? 1 : 0
            result.maps.append(isConfirmed ? coded : codes(of: map, prior, plain))
            states = sources.map { source in
                State(
                    keys: fit.pooled(kept.keys, source.keys), values: fit.pooled(kept.values, source.values))
            }
        }
        return result
    }

    /// The plan's own numbers as codes: a plan has codes for all of its maps or for none.
    private func codes(of map: BoundaryMap, _ numbers: SlotFit.Numbers, _ plain: [Float]) -> BoundaryMap {
        map.fitted(
            keyCoefficients: numbers.keys, valueCoefficients: numbers.values,
            biasSteps: zip(numbers.biases, plain).map { $0 - $1 })
    }
}
