import TestSupport
import Testing
import VernierCore

@testable import ProfileFormat

@Suite struct CellStorageTests {
    private static let mixedText = #"{"cells": [["int8", ["float32", "int4"], "bfloat16"]]}"#

    /// The example profile with other storage, its ledger put right.
    private func profile(_ storage: CellStorage) throws -> Profile {
        let example = try Profile(parsing: ProfileTests.versionOne, name: "p.json")
        return try Profile(
            model: example.model, schedule: example.schedule, policy: example.policy, selection: example.selection,
            storage: storage, requestedBudget: example.requestedBudget, capacities: example.capacities,
            roles: example.roles, provenance: example.provenance)
    }

    private func mixed(branches: Int = 1) -> CellStorage {
        CellStorage(
            branchCount: branches, layerCount: 3, headCount: 2,
            formats: (0..<branches).flatMap { _ in
                [StorageFormat.int8, .int8, .float32, .int4, .bfloat16, .bfloat16]
            }.enumerated().map { $0 == 7 ? .int4 : $1 })
    }

    @Test func namesAndTablesSurviveTheFile() throws {
        for storage in [CellStorage.float32, .bfloat16, .int8, .int4, mixed(), mixed(branches: 2)] {
            let profile = try profile(storage)
            let text = try profile.canonicalText()
            let again = try Profile(parsing: text, name: "p.json")
            #expect(again == profile && again.storage == storage)
            #expect(try again.canonicalText() == text)
            #expect(profile.residentBytes == profile.residentPlan.residentBytes())
        }
        #expect(try profile(.int8).canonicalText().contains("\"storage\": \"int8\""))
        let value = try JSONValue.parse(Self.mixedText, name: "x")
        #expect(mixed().jsonValue == value)
    }

    @Test func aTableOfOneFormatIsThatFormat() throws {
        let table = CellStorage(branchCount: 2, layerCount: 2, headCount: 1, formats: Array(repeating: .int8, count: 4))
        #expect(table == .int8 && table.uniform == .int8 && table.name == "int8")
        #expect(mixed().uniform == nil && mixed().name == "mixed")
        #expect("\(mixed())" == "float32 in 1 cell, bfloat16 in 2 cells, int8 in 2 cells, int4 in 1 cell")
        #expect(mixed().occurring == [.float32, .bfloat16, .int8, .int4])
        #expect(mixed()[1, 1, 1] == .int4 && mixed()[0, 2, 0] == .bfloat16, "branches share one table")
    }

    /// Another storage member, and what the error must say.
    static let hostile: [(String, String)] = [
        (#""int3""#, "storage: expected one of float32, bfloat16, int8, int4, found the string \"int3\""),
        (#"["int8"]"#, "storage: expected a string"),
        (#"{}"#, "storage"), (#"{"cells": []}"#, "storage.cells: expected an array of 1 or 2 branches"),
        (#"{"cells": "int8"}"#, "storage.cells: expected an array"),
        (#"{"cells": [["int8", "int8"]]}"#, "storage.cells[0]: expected an array of 3"),
        (#"{"cells": [["int8", "int8", ["int8"]]]}"#, "storage.cells[0][2]: expected an array of 2"),
        (#"{"cells": [["int8", "int8", ["int8", "int5"]]]}"#, "storage.cells[0][2][1]: expected one of"),
        (#"{"cells": [["int8", "int8", 8]]}"#, "storage.cells[0][2]: expected a string"),
        (#"{"cells": [["int8", "int8", "int4"]], "also": 1}"#, "storage: expected only the members"),
    ]

    @Test(arguments: hostile.indices) func hostileTablesAreRefused(_ index: Int) throws {
        let (storage, message) = Self.hostile[index]
        let text = ProfileTests.versionOne.replacing(#""storage": "float32""#, with: "\"storage\": \(storage)")
        let error = try #require(throws: VernierError.self) { try Profile(parsing: text, name: "p.json") }
        #expect(error.description.contains(message), "\(error)")
    }

    @Test func bytesThatDoNotBelongToTheTableAreRefused() throws {
        let text = ProfileTests.versionOne.replacing(#""storage": "float32""#, with: #""storage": "int8""#)
        let error = try #require(throws: VernierError.self) { try Profile(parsing: text, name: "p.json") }
        // 108 slots of 2 * (16 + 4) bytes.
        #expect(error.description.contains("expected residentBytes 4320 by the capacities, found 13824"), "\(error)")
        let formula = try profile(mixed()).residentFormula
        #expect(
            formula.hasSuffix(
                "each x the bytes per slot of its cell (key and value, 16 channels: float32 128, bfloat16 64, int8 40, "
                    + "int4 20) = \(try profile(mixed()).residentBytes) bytes at scale 2, layer 1"), "\(formula)")
    }

    @Test func aTableOfAnotherShapeMakesNoProfile() throws {
        let other = CellStorage(
            branchCount: 3, layerCount: 1, headCount: 2, formats: [.int8, .int4, .int8, .int8, .int8, .int8])
        let error = try #require(throws: VernierError.self) { try profile(other) }
        #expect(error.description.contains("expected storage for 1 or 2 branches, found 3"))
        #expect(error.description.contains("expected storage for 3 layers, found 1"))
    }

    @Test func theLedgerCountsEachCellInItsFormat() throws {
        var random = SplitMix64(seed: 11)
        let schedule = try Examples.schedule([1, 2, 3, 4])
        let names = StorageFormat.knownNames.compactMap(StorageFormat.init(name:))
        try withEvery("round", in: 0..<20) { _ in
            var table = CellCapacities(branchCount: 2, scaleCount: 4, layerCount: 3, headCount: 2)
            for branch in 0..<2 {
                for scale in 1..<4 {
                    for layer in 0..<3 {
                        for head in 0..<2 {
                            table[branch, scale, layer, head] = random.integer(
                                in: 0..<schedule.historyTokens(scale) + 1)
                        }
                    }
                }
            }
            let storage = CellStorage(
                branchCount: 2, layerCount: 3, headCount: 2,
                formats: (0..<12).map { _ in names[random.integer(in: 0..<4)] })
            let plan = ResidentPlan(capacities: table, schedule: schedule, storage: storage, headWidth: 24, branches: 2)
            var most = 0
            for scale in 0..<4 {
                for layer in 0..<3 {
                    var bytes = 0
                    for branch in 0..<2 {
                        for other in 0..<3 {
                            for head in 0..<2 {
                                let held = table[branch, other <= layer && scale < 3 ? scale + 1 : scale, other, head]
                                bytes += held * storage[branch, other, head].bytesPerSlot(headWidth: 24)
                            }
                        }
                    }
                    #expect(plan.bytes(scale: scale, layer: layer) == bytes)
                    most = max(most, bytes)
                }
            }
            #expect(plan.residentBytes(batch: 2) == 2 * most)
            #expect(plan.bytes(scale: plan.peakScale, layer: plan.peakLayer) == most)
            #expect(plan.referenceFullCacheBytes(batch: 3) == 3 * 14 * 12 * 6 * 24)
        }
    }
}
