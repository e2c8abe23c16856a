import CalibrationStatistics
import ProfileFormat
import TestSupport
import Testing
import VernierCore

@Suite struct CalibrationStatisticsTests {
    @Test func meansAreMeansOverPrompts() throws {
        let statistics = try SmallCalibration.counted(0..<3)
        let layout = statistics.layout
        let prompts = (0..<3).map { SmallCalibration.prompt($0, layout) }
        func mean(_ value: (PromptStatistics) -> Double) -> Double { prompts.reduce(0) { $0 + value($1) } / 3 }
        let (branch, layer, head, scale) = (1, 2, 0, 3)
        let cell = layout.cell(branch: branch, layer: layer, head: head, scale: scale)
        #expect(
            statistics.meanCurrentMass(branch: branch, layer: layer, head: head, scale: scale)
                == mean { $0.currentMass[cell] })
        #expect(
            statistics.meanRowEntropy(branch: branch, layer: layer, head: head, scale: scale)
                == mean { $0.rowEntropy[cell] })
        #expect(
            statistics.meanColumnVariance(branch: branch, layer: layer, head: head, scale: scale)
                == mean { $0.columnVariance[cell] })
        for index in 0..<3 {
            #expect(
                statistics.meanTopMass(branch: branch, layer: layer, head: head, scale: scale, topCountIndex: index)
                    == mean { $0.topMass[cell * 3 + index] })
        }
        for source in 0..<4 {
            #expect(
                statistics.meanSourceMass(branch: branch, layer: layer, head: head, scale: scale, source: source)
                    == mean { $0.sourceMass[cell * 4 + source] })
        }
        let history = statistics.meanHistoryMass(branch: branch, layer: layer, head: head, scale: scale)
        let current = statistics.meanCurrentMass(branch: branch, layer: layer, head: head, scale: scale)
        #expect(abs(history + current - 1) < 1e-12)
        let positions = layout.positions(branch: branch, layer: layer, head: head, scale: scale)
        expectSame(
            statistics.positionMass(branch: branch, layer: layer, head: head, scale: scale),
            positions.map { position in mean { $0.positionMass[position] } }, what: "position masses")
        expectSame(
            statistics.positionWeight(branch: branch, layer: layer, head: head, scale: scale),
            positions.map { position in mean { $0.positionWeight[position] } }, what: "position weights")
        #expect(statistics.positionMass(branch: 0, layer: 0, head: 0, scale: 0).isEmpty)
        #expect(Array(statistics.row(of: .topMass, prompt: 1)) == prompts[1].topMass)
        #expect(statistics.rows(of: .rowEntropy) == prompts.flatMap(\.rowEntropy))
        #expect(statistics.rows(of: .positionMass).isEmpty)
        #expect(statistics.coverageProblems().isEmpty)
        #expect(!statistics.isComplete)
        #expect(statistics.journal.map(\.corpusIndex) == [0, 1, 2])
    }

    @Test func anEmptyCalibrationIsNotCovered() throws {
        #expect(try SmallCalibration.empty().coverageProblems() == ["expected at least one counted prompt, found none"])
        #expect(throws: VernierError.self) { try CorpusReference(digest: "", promptCount: 0) }
    }

    struct Fault: Sendable, CustomTestStringConvertible {
        let testDescription: String
        let code: String
        let part: String
        let damage: @Sendable (inout PromptStatistics) -> Void
    }

    static let faults: [Fault] = [
        Fault(
            testDescription: "not a number", code: "nonFinite",
            part: "values of rowEntropy that are not negative, found nan at branch 0, layer 1, head 0, scale 2"
        ) { $0.rowEntropy[10] = .nan },
        Fault(
            testDescription: "infinite weight", code: "nonFinite",
            part: "positionWeight that are not negative, found inf at branch 0, layer 0, head 1, scale 3, position 2"
        ) { $0.positionWeight[11 + 4 + 2] = .infinity },
        Fault(
            testDescription: "negative mass", code: "corruptState",
            part: "topMass that are not negative, found -0.5 at branch 0, layer 0, head 0, scale 1, top count 4"
        ) { $0.topMass[4] = -0.5 },
        Fault(
            testDescription: "mass lost", code: "corruptState",
            part: "current and source masses that sum to 1 within 0.001, found 0.9"
        ) { for cell in $0.currentMass.indices { $0.currentMass[cell] -= 0.0625 } },
        Fault(
            testDescription: "mass on the future", code: "corruptState",
            part:
                "no mass on source scale 2, which is no history of scale 1, found some at branch 0, layer 0, head 0, scale 1"
        ) {
            $0.sourceMass[1 * 4 + 2] = 0.01
            $0.currentMass[1] -= 0.01
        },
        Fault(
            testDescription: "positions do not add up", code: "corruptState",
            part: "position masses that sum to the source masses'"
        ) { $0.positionMass[0] += 0.01 },
        Fault(
            testDescription: "top mass beyond the history", code: "corruptState",
            part: "top masses that grow with the top count up to the history's"
        ) { $0.topMass[3 * 3 + 2] = 1.5 },
        Fault(
            testDescription: "wrong length", code: "corruptState", part: "expected 48 values of currentMass, found 49"
        ) {
            $0.currentMass.append(1)
        },
    ]

    @Test(arguments: faults) func refusesBrokenPromptsAndCountsNothing(_ fault: Fault) throws {
        var statistics = try SmallCalibration.counted(0..<1)
        let before = statistics
        var prompt = SmallCalibration.prompt(1, statistics.layout)
        fault.damage(&prompt)
        let error = #expect(throws: VernierError.self) {
            try statistics.add(prompt, corpusIndex: 1, promptDigest: SmallCalibration.promptDigest(1))
        }
        #expect(error?.code.description == fault.code)
        #expect(error?.description.contains(fault.part) == true, "\(error?.description ?? "")")
        #expect((error?.problems.count ?? 9) <= 8)
        #expect(statistics == before)
    }

    @Test func refusesPromptsOutOfOrder() throws {
        var statistics = try SmallCalibration.counted([0, 2])
        for index in [-1, 0, 1, 2, 6] {
            let text = message { try SmallCalibration.add(index, to: &statistics) }
            #expect(text.contains("expected a corpus index from 3 to 5, found \(index)"))
        }
        let other = try StatisticsLayout(
            branches: 1, layers: 1, heads: 1, schedule: SmallCalibration.schedule(), topCounts: [1])
        let text = message {
            try statistics.add(PromptStatistics(layout: other), corpusIndex: 3, promptDigest: "")
        }
        #expect(text.contains("expected the layout of the calibration, found another"))
    }

    @Test func sketchesAreNeededWhereThereAreSignsAndThenWholeAndFinite() throws {
        var statistics = try SmallCalibration.counted(0..<1, signs: 2)
        let before = statistics, layout = statistics.layout
        let good = try #require(SmallCalibration.sketches(1, layout))
        func refused(_ sketches: AttentionSketches?, _ code: String, _ part: String) {
            let error = #expect(throws: VernierError.self) {
                try statistics.add(
                    SmallCalibration.prompt(1, layout), corpusIndex: 1, promptDigest: "", sketches: sketches)
            }
            #expect(
                error?.code.description == code && error?.description.contains(part) == true,
                "\(part): \(error?.description ?? "")")
            #expect(statistics == before)
        }
        refused(nil, "mismatch", "expected sketches of 1 prompts, found those of 0")
        var sketches = good
        sketches.promptCount = 2
        refused(sketches, "mismatch", "found those of 2")
        sketches = good
        sketches.key.removeLast()
        refused(sketches, "mismatch", "expected \(12 * 11 * 2) values of the key sketch, found \(12 * 11 * 2 - 1)")
        sketches = good
        sketches.value[9] = -.infinity
        refused(
            sketches, "nonFinite", "of the value sketch, found -inf at branch 0, layer 0, head 0, position 4, sign 1")
        refused(SmallCalibration.sketches(1, try SmallCalibration.empty(signs: 3).layout), "mismatch", "found another")
        try SmallCalibration.add(1, to: &statistics)
        #expect(statistics.hasSketches && statistics.coverageProblems().isEmpty)
        #expect(try !SmallCalibration.counted(0..<1).hasSketches)
        #expect(try !SmallCalibration.empty(signs: 2).hasSketches)
        #expect(try SmallCalibration.counted(0..<1).keySketch(branch: 0, layer: 0, head: 0, scale: 3).isEmpty)
    }

    @Test func probedPromptsAndNoOthersHaveResponses() throws {
        var statistics = try SmallCalibration.counted(0..<1, probed: 2)
        let before = statistics, layout = statistics.layout
        func refused(_ index: Int, _ responses: LayerResponses?, _ code: String, _ part: String) {
            let error = #expect(throws: VernierError.self) {
                try statistics.add(
                    SmallCalibration.prompt(index, layout), corpusIndex: index, promptDigest: "", responses: responses)
            }
            #expect(
                error?.code.description == code && error?.description.contains(part) == true,
                "\(part): \(error?.description ?? "")")
            #expect(statistics == before)
        }
        let good = try #require(SmallCalibration.responses(1, statistics))
        refused(1, nil, "mismatch", "expected layer responses of the first 2 prompts only, found none")
        refused(2, good, "mismatch", "found some")
        var bad = good
        bad.divergence[7] = -.leastNonzeroMagnitude
        refused(1, bad, "nonFinite", "divergences that are not negative, found -5e-324 at layer 1, scale 3")
        bad = good
        bad.squaredError.append(0)
        refused(1, bad, "nonFinite", "expected 12 squared errors of layers, found 13")
        try SmallCalibration.add(1, to: &statistics)
        try SmallCalibration.add(2, to: &statistics)
        #expect(statistics.hasLayerSensitivity && statistics.responses.count == 2)
        #expect(statistics.coverageProblems().isEmpty)
        let first = statistics.responses[0], second = statistics.responses[1], index = 2 * 4 + 3
        #expect(
            statistics.layerSensitivity(layer: 2, scale: 3)
                == (first.divergence[index] + second.divergence[index])
                / (first.squaredError[index] + second.squaredError[index]))
        #expect(statistics.layerSensitivity(layer: 2, scale: 0) == 0)
        let none = try SmallCalibration.counted(0..<1)
        #expect(!none.hasLayerSensitivity && none.layerSensitivity(layer: 0, scale: 1) == 0)
    }

    @Test func probedPromptsAndNoOthersHaveStorageErrors() throws {
        var statistics = try SmallCalibration.counted(0..<1, probed: 2)
        let before = statistics, layout = statistics.layout
        func refused(_ index: Int, _ errors: StorageErrors?, _ code: String, _ part: String) {
            let error = #expect(throws: VernierError.self) {
                try statistics.add(
                    SmallCalibration.prompt(index, layout), corpusIndex: index, promptDigest: "",
                    responses: SmallCalibration.responses(index, statistics), storageErrors: errors)
            }
            #expect(
                error?.code.description == code && error?.description.contains(part) == true,
                "\(part): \(error?.description ?? "")")
            #expect(statistics == before)
        }
        let good = try #require(SmallCalibration.storageErrors(1, statistics))
        refused(1, nil, "mismatch", "expected storage errors of 3 formats for the first 2 prompts only, found none")
        refused(2, good, "mismatch", "found some")
        var bad = good
        bad.values[1][7] = -1
        refused(1, bad, "nonFinite", "errors of int8 that are not negative, found -1.0 at branch 0, layer 0, head 1")
        bad = good
        bad.values[2].append(0)
        refused(1, bad, "nonFinite", "expected 48 storage errors of int4, found 49")
        bad.values.removeLast()
        refused(1, bad, "nonFinite", "expected storage errors of 3 formats, found those of 2")
        try SmallCalibration.add(1, to: &statistics)
        try SmallCalibration.add(2, to: &statistics)
        #expect(statistics.hasStorageErrors && statistics.storageErrors.count == 2)
        #expect(statistics.coverageProblems().isEmpty)
        let cell = layout.cell(branch: 1, layer: 2, head: 0, scale: 3)
        #expect(
            statistics.storageError(.int8, branch: 1, layer: 2, head: 0, scale: 3)
                == (statistics.storageErrors[0].values[1][cell] + good.values[1][cell]) / 2)
        #expect(statistics.storageError(.float32, branch: 1, layer: 2, head: 0, scale: 3) == 0)
        #expect(try !SmallCalibration.counted(0..<1).hasStorageErrors)
        #expect(try !SmallCalibration.counted(0..<1, probed: 1, formats: []).hasStorageErrors)
    }

    @Test func lentSketchesAreMissed() throws {
        var statistics = try SmallCalibration.counted(0..<2, signs: 2)
        let before = statistics
        let lent = statistics.lendSketches()
        #expect(
            statistics.coverageProblems().contains { $0.contains("expected sketches of 2 prompts, found those of 0") })
        statistics.returnSketches(lent)
        #expect(statistics == before)
    }

    @Test func resettingGivesZeros() throws {
        let layout = try SmallCalibration.empty().layout
        var prompt = SmallCalibration.prompt(3, layout)
        prompt.reset()
        #expect(prompt == PromptStatistics(layout: layout))
    }

    @Test func settingsAreCheckedAndCompared() throws {
        let text = message {
            try CalibrationSettings(
                topCounts: [], seed: 1, guidance: -1, temperature: .nan, topP: 1.5, topK: -2, toolVersion: "")
        }
        for part in ["guidance of at least 0", "temperature", "top-p from 0 to 1", "top-k", "top counts that ascend"] {
            #expect(text.contains(part))
        }
        let one = try SmallCalibration.settings()
        #expect(one.differences(from: one).isEmpty)
        #expect(
            try SmallCalibration.settings(topCounts: [1], seed: 3).differences(from: one)
                == ["expected top counts [1, 4, 16], found [1]", "expected seed \(UInt64.max), found 3"])
        #expect(
            try SmallCalibration.settings(arithmetic: .bfloat16).differences(from: one)
                == ["expected arithmetic float32, found bfloat16"])
    }
}
