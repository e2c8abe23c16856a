import TestSupport
import Testing

@testable import Refinement

struct SlotFitTests {
    /// A head with random queries, keys and values over `history` positions and a map of `count`.
    static func head(history: Int, count: Int, width: Int, seed: UInt64) -> RecordedHead {
        var random = SplitMix64(seed: seed)
        func rows(_ size: Float) -> Matrix {
            var m = Matrix(rows: history + count, columns: width)
            m.values = random.floats(m.values.count, in: -size...size)
            return m
        }
        var metric = Matrix(rows: width, columns: width)
        for i in 0..<width {
            for j in 0...i { metric[i, j] = i == j ? 1 : 0.1 * random.float() }
        }
        return RecordedHead(queries: rows(1), keys: rows(1), values: rows(1), metric: metric)
    }

    static func sources(_ head: RecordedHead, history: Int, count: Int) -> SlotFit.Sources {
        let measured = head.values.times(transposed: head.metric.transposed)
        let positions = Array(0..<history)
        return SlotFit.Sources(
            keys: head.keys.gathering(positions), values: measured.gathering(positions),
            target: TargetScale(head, history: history, count: count, queryStep: 1, measuredValues: measured))
    }

    /// With every source a slot of its own the model is the full cache: no error, and nothing to improve.
    @Test func theFullCacheHasNoError() {
        let data = (0..<3).map {
            Self.sources(Self.head(history: 6, count: 9, width: 4, seed: $0), history: 6, count: 9)
        }
        let fit = SlotFit(
            slots: (0..<6).map { $0 }, slotCount: 6, isFree: Array(repeating: false, count: 6))
        let exact = SlotFit.Numbers(
            keys: Array(repeating: 1, count: 6), values: Array(repeating: 1, count: 6),
            biases: Array(repeating: 0, count: 6))
        #expect(fit.error(exact, data) < 1e-9)
        let spoiled = SlotFit.Numbers(keys: exact.keys, values: exact.values, biases: [1, -1, 0.5, 0, 0, 0.2])
        var free = fit
        free.ridge = 1e-6
        free.iterations = 8
        let found = free.fit(spoiled, data)
        #expect(free.error(found, data) < 1e-3 * free.error(spoiled, data))
        #expect(zip(found.biases, exact.biases).allSatisfy { abs($0 - $1) < 0.02 })
    }

    /// Pooling hurts; fitting takes some of it back, on unseen sequences too when sequences resemble each other.
    @Test func fittingLowersTheError() {
        let data = (0..<12).map {
            Self.sources(Self.head(history: 12, count: 16, width: 4, seed: $0), history: 12, count: 16)
        }
        let slots = (0..<12).map { $0 / 3 }
        let plain = SlotFit.Numbers(
            keys: Array(repeating: 1.0 / 3, count: 12), values: Array(repeating: 1.0 / 3, count: 12),
            biases: Array(repeating: 1.0986, count: 4))
        let fit = SlotFit(slots: slots, slotCount: 4, isFree: Array(repeating: true, count: 12))
        let found = fit.fit(plain, data)
        #expect(fit.error(found, data) < 0.98 * fit.error(plain, data))
        #expect(found.keys.allSatisfy(\.isFinite) && found.values.allSatisfy(\.isFinite))
    }

    /// What is not free stays, whatever the data say.
    @Test func whatIsAloneKeepsItsCoefficient() {
        let data = (0..<4).map {
            Self.sources(Self.head(history: 5, count: 9, width: 4, seed: $0 + 50), history: 5, count: 9)
        }
        let fit = SlotFit(
            slots: [0, 1, 0, nil, 1], slotCount: 2, isFree: [true, false, true, false, false])
        let plain = SlotFit.Numbers(keys: [0.5, 1, 0.5, 0, 0], values: [0.5, 1, 0.5, 0, 0], biases: [0.69, 0])
        let found = fit.fit(plain, data)
        #expect(found.keys[1] == 1 && found.values[1] == 1 && found.keys[3] == 0 && found.values[4] == 0)
        #expect(found.keys[0] != 0.5)
    }
}
