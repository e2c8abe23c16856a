import CHDF5Shim
import CalibrationStatistics
import ProfileFormat
import TestSupport
import Testing
import VernierCore

@testable import StatisticsFile

/// Files that are damaged, foreign or made to mislead: one clear error each, nothing leaked, nothing printed.
@Suite(.serialized) struct HostileFilesTests {
    let folder = TemporaryDirectory()
    var path: String { folder.file("s.h5") }

    func writeGood(_ prompts: Int = 3) throws -> CalibrationStatistics {
        let statistics = try SmallCalibration.counted(0..<prompts, signs: 2, probed: 2)
        try StatisticsFile.write(statistics, to: path)
        return statistics
    }

    /// Reads in both ways; returns the error of the full reading.
    func error(code: VernierError.Code? = nil) -> String {
        _ = try? StatisticsFile.readSummary(path)
        do {
            _ = try StatisticsFile.read(path)
            return "no error"
        } catch {
            if let code { #expect((error as? VernierError)?.code == code, "\(error)") }
            return "\(error)"
        }
    }

    @Test func foreignFiles() throws {
        try Bytes.write([], to: path)
        #expect(error().contains("expected a Vernier statistics file, found 0 other bytes"))
        try Bytes.write(Array("{\"a\": 1}".utf8), to: path)
        #expect(error(code: .malformedFile).contains("found 8 other bytes"))
        _ = try writeGood()
        let good = Bytes(path).all
        try Bytes.write(Array(good[512...]), to: path)
        #expect(error().contains("found an HDF5 file without Vernier's seal"))
        var newer = good
        newer[19] = UInt8(ascii: "5")
        try Bytes.write(newer, to: path)
        #expect(error(code: .unsupportedVersion).contains("s.h5: expected version 1 to 4, found '5'"))
    }

    @Test func everyTruncation() throws {
        _ = try writeGood()
        let good = Bytes(path).all
        let counts = Set((0..<64).map { $0 * good.count / 64 } + [1, 19, 20, 21, 85, 511, 512, 513, good.count - 1])
        for count in counts.sorted() {
            try Bytes.write(Array(good.prefix(count)), to: path)
            #expect(error().contains("s.h5: expected "), "\(count) bytes")
            // The same with a seal that fits, so that HDF5 sees it.
            guard count > 512 else { continue }
            try StatisticsSeal.apply(to: path, fileName: "s.h5")
            #expect(error() != "no error", "\(count) bytes, sealed")
        }
        try Bytes.write(good + [0], to: path)
        #expect(error().contains("expected bytes \(good.count), found \(good.count + 1) bytes"))
    }

    /// Overwrites some bytes, at most 32, in the first `reach` bytes.
    static func damage(_ good: [UInt8], reach: Int, _ random: inout SplitMix64) -> [UInt8] {
        var bytes = good
        for _ in 0..<(1 << random.integer(in: 0..<6)) {
            bytes[random.integer(in: 0..<reach)] = UInt8(truncatingIfNeeded: random.next())
        }
        return bytes
    }

    @Test func damagedBytes() throws {
        _ = try writeGood()
        let good = Bytes(path).all
        var random = SplitMix64(seed: 20_251)
        for round in 0..<600 {
            let bytes = Self.damage(good, reach: round % 2 == 0 ? good.count : 4096, &random)
            guard bytes != good else { continue }
            try Bytes.write(bytes, to: path)
            #expect(error().hasPrefix("s.h5: expected "), "round \(round)")
        }
    }

    /// With a seal that fits, damage reaches HDF5 and the checks behind it. Some bytes mean nothing or are free to take
    /// any value (padding, names, single numbers); what is read must still be consistent. In a process of its own,
    /// since HDF5 1.10 may complain at exit about objects that its own parser left open.
    @Test func damagedBytesBehindASeal() async throws {
        await #expect(processExitsWith: .success, observing: [\.standardErrorContent]) {
            let folder = TemporaryDirectory()
            let path = folder.file("s.h5")
            let original = try SmallCalibration.counted(0..<3, signs: 2, probed: 2)
            try StatisticsFile.write(original, to: path)
            let good = Bytes(path).all
            var random = SplitMix64(seed: 77)
            for round in 0..<300 {
                try Bytes.write(
                    HostileFilesTests.damage(good, reach: round % 2 == 0 ? good.count : 4096, &random), to: path)
                try StatisticsSeal.apply(to: path, fileName: "s.h5")
                _ = try? StatisticsFile.readSummary(path)
                guard let read = try? StatisticsFile.read(path) else { continue }
                #expect(read.coverageProblems().isEmpty)
                #expect(read.layout == original.layout)
            }
            #expect(HDF5Session.openObjectCount == 0)
        }
    }

    @Test func objectsInUseAreCounted() throws {
        _ = try writeGood()
        try HDF5Session.run(fileName: "s.h5") { session in
            let file = try session.openFile(path)
            _ = try session.openGroup("sums", in: file)
            #expect(vernier_h5_open_objects() == 2)
        }
        #expect(HDF5Session.openObjectCount == 0)
    }

    /// A change made with the HDF5 library to a good file, and a part of the message it must lead to.
    struct Change: Sendable, CustomTestStringConvertible {
        let testDescription: String
        let part: String
        let apply: @Sendable (_ file: hid_t, _ folder: String) -> Void

        init(_ description: String, _ part: String, _ apply: @escaping @Sendable (hid_t, String) -> Void) {
            testDescription = description
            self.part = part
            self.apply = apply
        }
    }

    static func replaceDataset(
        _ file: hid_t, _ name: String, type: hid_t, shape: [hsize_t], most: [hsize_t]? = nil,
        prepare: (hid_t) -> Void = { _ in }
    ) {
        H5Ldelete(file, name, vernier_h5_default())
        let list = H5Pcreate(vernier_h5_dataset_create())
        prepare(list)
        let space = H5Screate_simple(Int32(shape.count), shape, most)
        let dataset = H5Dcreate2(file, name, type, space, vernier_h5_default(), list, vernier_h5_default())
        #expect(dataset >= 0)
        for identifier in [dataset, space, list] { H5Idec_ref(identifier) }
    }

    static func replaceAttribute(_ file: hid_t, _ name: String, type: hid_t, memory: hid_t, shape: [hsize_t]) {
        H5Adelete(file, name)
        let space = shape.isEmpty ? H5Screate(H5S_SCALAR) : H5Screate_simple(Int32(shape.count), shape, nil)
        let attribute = H5Acreate2(file, name, type, space, vernier_h5_default(), vernier_h5_default())
        #expect(attribute >= 0)
        let values = [Int64](repeating: 2, count: Int(shape.reduce(1, *)))
        #expect(H5Awrite(attribute, memory, values) >= 0)
        for identifier in [attribute, space] { H5Idec_ref(identifier) }
    }

    static func setInteger(_ file: hid_t, _ name: String, _ value: Int64) {
        let attribute = H5Aopen(file, name, vernier_h5_default())
        #expect(H5Awrite(attribute, vernier_h5_native_int64(), [value]) >= 0)
        H5Aclose(attribute)
    }

    /// Writes a text of at most the width of the attribute's type.
    static func setText(_ file: hid_t, _ name: String, _ text: String) {
        let attribute = H5Aopen(file, name, vernier_h5_default()), type = H5Aget_type(attribute)
        let bytes = Array(text.utf8), width = Int(H5Tget_size(type))
        #expect(bytes.count <= width)
        #expect(H5Awrite(attribute, type, bytes + Array(repeating: 0, count: max(width - bytes.count, 0))) >= 0)
        H5Tclose(type)
        H5Aclose(attribute)
    }

    /// Adds an attribute of text.
    static func addText(_ file: hid_t, _ name: String, _ text: String) {
        let type = H5Tcopy(vernier_h5_c_string()), space = H5Screate(H5S_SCALAR)
        #expect(H5Tset_size(type, max(text.utf8.count, 1)) >= 0)
        let attribute = H5Acreate2(file, name, type, space, vernier_h5_default(), vernier_h5_default())
        #expect(H5Awrite(attribute, type, Array(text.utf8) + [0]) >= 0)
        for identifier in [attribute, type, space] { H5Idec_ref(identifier) }
    }

    static func setNumber(_ file: hid_t, _ name: String, _ index: Int, _ value: Double) {
        let dataset = H5Dopen2(file, name, vernier_h5_default())
        let count = Int(H5Dget_storage_size(dataset)) / 8
        var values = [Double](repeating: 0, count: count)
        let all = vernier_h5_all()
        #expect(H5Dread(dataset, vernier_h5_native_double(), all, all, vernier_h5_default(), &values) >= 0)
        values[index] = value
        #expect(H5Dwrite(dataset, vernier_h5_native_double(), all, all, vernier_h5_default(), values) >= 0)
        H5Dclose(dataset)
    }

    static func setSketch(_ file: hid_t, _ name: String, _ index: Int, _ value: Float) {
        let dataset = H5Dopen2(file, name, vernier_h5_default())
        var values = [Float](repeating: 0, count: Int(H5Dget_storage_size(dataset)) / 4)
        let all = vernier_h5_all()
        #expect(H5Dread(dataset, vernier_h5_native_float(), all, all, vernier_h5_default(), &values) >= 0)
        values[index] = value
        #expect(H5Dwrite(dataset, vernier_h5_native_float(), all, all, vernier_h5_default(), values) >= 0)
        H5Dclose(dataset)
    }

    static let changes: [Change] = [
        Change("no layer responses", "expected the group 'responses' in this file") { file, _ in
            H5Ldelete(file, "responses", vernier_h5_default())
        },
        Change("more probed prompts than responses", "'divergence': expected the shape [3, 3, 4], found [2, 3, 4]") {
            file, _ in
            setInteger(file, "sensitivityPrompts", .max)
        },
        Change("negative probed prompts", "expected at least 0 sensitivity prompts, found -1") { file, _ in
            setInteger(file, "sensitivityPrompts", -1)
        },
        Change(
            "a negative divergence",
            "expected finite divergences that are not negative, found -1.0 at layer 1, scale 2"
        ) { file, _ in
            setNumber(file, "responses/divergence", 6, -1)
        },
        Change("an error that is no number", "expected finite squared errors that are not negative, found nan") {
            file, _ in
            setNumber(file, "responses/squaredError", 23, .nan)
        },
        Change("no storage errors", "expected the group 'storageErrors' in this file") { file, _ in
            H5Ldelete(file, "storageErrors", vernier_h5_default())
        },
        Change("no errors of a format", "expected the data set 'int8' in this file, found none of that name") {
            file, _ in
            H5Ldelete(file, "storageErrors/int8", vernier_h5_default())
        },
        Change("storage errors of another shape", "'int4': expected the shape [2, 2, 3, 2, 4], found [2, 48]") {
            file, _ in
            replaceDataset(file, "storageErrors/int4", type: vernier_h5_float64_le(), shape: [2, 48])
        },
        Change(
            "a negative storage error",
            "expected finite storage errors of int8 that are not negative, found -1.0 at branch 0, layer 0, head 1, scale 2"
        ) { file, _ in
            setNumber(file, "storageErrors/int8", 6, -1)
        },
        Change("a storage error that is no number", "expected finite storage errors of int4 that are not negative") {
            file, _ in
            setNumber(file, "storageErrors/int4", 95, .nan)
        },
        Change("no storage formats", "expected the attribute 'storageFormats', found none of that name") { file, _ in
            H5Adelete(file, "storageFormats")
        },
        Change("an unknown storage format", "expected storage formats among float32, bfloat16, int8, int4, found") {
            file, _ in
            setText(file, "storageFormats", "bfloat16 int9 int4")
        },
        Change("a storage format twice", "expected narrow storage formats, each once, found int8 int8") { file, _ in
            setText(file, "storageFormats", "int8 int8")
        },
        Change("a storage format without error", "expected narrow storage formats, each once, found float32") {
            file, _ in
            setText(file, "storageFormats", "float32")
        },
        Change("an unknown arithmetic", "s.h5: expected an arithmetic among float32, bfloat16, found \"bfloat17\"") {
            file, _ in
            addText(file, "arithmetic", "bfloat17")
        },
        Change("no name of an arithmetic", "expected an arithmetic among float32, bfloat16, found \"\"") { file, _ in
            addText(file, "arithmetic", "")
        },
        Change("a number for the arithmetic", "the attribute 'arithmetic': expected text of a fixed width") { file, _ in
            replaceAttribute(
                file, "arithmetic", type: vernier_h5_int64_le(), memory: vernier_h5_native_int64(), shape: [])
        },
        Change("no sketches", "expected the group 'sketches' in this file") { file, _ in
            H5Ldelete(file, "sketches", vernier_h5_default())
        },
        Change("no key sketch", "expected the data set 'key' in this file, found none of that name") { file, _ in
            H5Ldelete(file, "sketches/key", vernier_h5_default())
        },
        Change("sketches of wide numbers", "expected 32-bit little-endian floating-point numbers, found another") {
            file, _ in
            replaceDataset(file, "sketches/value", type: vernier_h5_float64_le(), shape: [2, 3, 2, 7, 2])
        },
        Change("sketches of another shape", "the data set 'key': expected the shape [2, 3, 2, 11, 2], found") {
            file, _ in
            replaceDataset(file, "sketches/key", type: vernier_h5_float32_le(), shape: [2, 3, 2, 2, 11])
        },
        Change("more signs than numbers", "the data set 'attention': expected the shape [2, 3, 2, 11, 3], found") {
            file, _ in
            setInteger(file, "signCount", 3)
        },
        Change("signs beyond the file", "numbers of 8 bytes by the header, found a file of") { file, _ in
            setInteger(file, "signCount", 4096)
        },
        Change("halves that are not there", "'evenSketches'") { file, _ in setInteger(file, "keepsHalves", 1) },
        Change("neither with halves nor without", "expected 0 or 1 for 'keepsHalves', found 2") { file, _ in
            setInteger(file, "keepsHalves", 2)
        },
        Change("absurd signs", "expected 0 to 4096 signs, found 9223372036854775807") { file, _ in
            setInteger(file, "signCount", .max)
        },
        Change("negative signs", "expected 0 to 4096 signs, found -1") { file, _ in
            setInteger(file, "signCount", -1)
        },
        Change(
            "a sketch that is no number",
            "expected finite values of the value sketch, found nan at branch 0, layer 0, head 0, position 1, sign 1"
        ) { file, _ in
            setSketch(file, "sketches/value", 3, .nan)
        },
        Change(
            "an infinite sketch",
            "expected finite values of the attention sketch, found inf at branch 0, layer 0, head 0, scale 2, position 0"
        ) { file, _ in
            setSketch(file, "sketches/attention", 3, .infinity)
        },
        Change("no data set", "expected the data set 'topMass' in this file, found none of that name") { file, _ in
            H5Ldelete(file, "sums/topMass", vernier_h5_default())
        },
        Change("no group", "expected the group 'rows' in this file") { file, _ in
            H5Ldelete(file, "rows", vernier_h5_default())
        },
        Change("a group for a data set", "cannot open the data set 'counts'") { file, _ in
            H5Ldelete(file, "counts", vernier_h5_default())
            let standard = vernier_h5_default()
            H5Gclose(H5Gcreate2(file, "counts", standard, standard, standard))
        },
        Change("a data set for a group", "cannot open the group 'sums'") { file, _ in
            replaceDataset(file, "sums", type: vernier_h5_float64_le(), shape: [1])
        },
        Change("an external link", "expected the data set 'counts' in this file, found none of that name") {
            file, folder in
            H5Ldelete(file, "counts", vernier_h5_default())
            let standard = vernier_h5_default()
            #expect(H5Lcreate_external("\(folder)/other.h5", "/counts", file, "counts", standard, standard) >= 0)
        },
        Change("an external group", "expected the group 'sums' in this file") { file, folder in
            H5Ldelete(file, "sums", vernier_h5_default())
            let standard = vernier_h5_default()
            #expect(H5Lcreate_external("\(folder)/other.h5", "/sums", file, "sums", standard, standard) >= 0)
        },
        Change("a soft link", "expected the data set 'rowEntropy' in this file") { file, _ in
            H5Ldelete(file, "sums/rowEntropy", vernier_h5_default())
            let standard = vernier_h5_default()
            #expect(H5Lcreate_soft("/sums/currentMass", file, "sums/rowEntropy", standard, standard) >= 0)
        },
        Change("a loop of hard links", "the data set 'counts'") { file, _ in
            H5Ldelete(file, "counts", vernier_h5_default())
            H5Lcreate_hard(file, "/", file, "counts", vernier_h5_default(), vernier_h5_default())
        },
        Change("numbers in another file", "expected one run of unfiltered bytes in this file") { file, folder in
            replaceDataset(file, "counts", type: vernier_h5_int64_le(), shape: [2, 3, 2, 4]) {
                H5Pset_external($0, "\(folder)/other.h5", 0, 48 * 8)
            }
        },
        Change("chunks", "expected one run of unfiltered bytes in this file") { file, _ in
            replaceDataset(file, "counts", type: vernier_h5_int64_le(), shape: [2, 3, 2, 4]) {
                H5Pset_chunk($0, 4, [1, 1, 1, 4])
            }
        },
        Change("a filter", "expected one run of unfiltered bytes in this file") { file, _ in
            replaceDataset(file, "counts", type: vernier_h5_int64_le(), shape: [2, 3, 2, 4]) {
                H5Pset_chunk($0, 4, [2, 3, 2, 4])
                H5Pset_deflate($0, 9)
            }
        },
        Change("numbers never written", "expected 384 stored bytes, found 0") { file, _ in
            replaceDataset(file, "counts", type: vernier_h5_int64_le(), shape: [2, 3, 2, 4])
        },
        Change(
            "integers for floating point", "expected 64-bit little-endian floating-point numbers, found another type"
        ) {
            file, _ in
            replaceDataset(file, "sums/currentMass", type: vernier_h5_int64_le(), shape: [2, 3, 2, 4])
        },
        Change("another shape", "expected the shape [2, 3, 2, 4], found [2, 3, 8]") { file, _ in
            replaceDataset(file, "sums/currentMass", type: vernier_h5_float64_le(), shape: [2, 3, 8])
        },
        Change("absurd extents", "expected the shape [2, 3, 2, 4], found [") { file, _ in
            replaceDataset(
                file, "sums/currentMass", type: vernier_h5_float64_le(), shape: [1 << 20, 1 << 20, 1 << 10, 4])
        },
        Change("more dimensions than anyone needs", "expected the shape [3], found [1, 1") { file, _ in
            replaceDataset(
                file, "journal/corpusIndex", type: vernier_h5_int64_le(), shape: Array(repeating: 1, count: 32))
        },
        Change("text of variable width", "expected text of a fixed width up to 4096 bytes") { file, _ in
            let type = H5Tcopy(vernier_h5_c_string())
            H5Tset_size(type, vernier_h5_variable())
            replaceDataset(file, "journal/promptDigest", type: type, shape: [3])
            H5Tclose(type)
        },
        Change("very wide text", "expected text of a fixed width up to 4096 bytes") { file, _ in
            let type = H5Tcopy(vernier_h5_c_string())
            H5Tset_size(type, 1 << 30)
            replaceDataset(file, "journal/promptDigest", type: type, shape: [3])
            H5Tclose(type)
        },
        Change("no attribute", "expected the attribute 'layers', found none of that name") { file, _ in
            H5Adelete(file, "layers")
        },
        Change("an attribute of another type", "the attribute 'heads': expected 64-bit little-endian integers") {
            file, _ in
            replaceAttribute(
                file, "heads", type: vernier_h5_float64_le(), memory: vernier_h5_native_int64(), shape: [])
        },
        Change("an attribute of another shape", "the attribute 'heads': expected a scalar, found the shape [3]") {
            file, _ in
            replaceAttribute(file, "heads", type: vernier_h5_int64_le(), memory: vernier_h5_native_int64(), shape: [3])
        },
        Change("a long list", "the attribute 'topCounts': expected the shape [n] with n from 1 to 4096, found") {
            file, _ in
            replaceAttribute(
                file, "topCounts", type: vernier_h5_int64_le(), memory: vernier_h5_native_int64(), shape: [5000])
        },
        Change("an empty list", "expected the shape [n, 2] with n from 1 to 4096, found the shape [0, 2]") { file, _ in
            replaceAttribute(
                file, "grids", type: vernier_h5_int64_le(), memory: vernier_h5_native_int64(), shape: [0, 2])
        },
        Change("three sides", "expected 2 numbers in 'ropeGrid', found 3") { file, _ in
            replaceAttribute(
                file, "ropeGrid", type: vernier_h5_int64_le(), memory: vernier_h5_native_int64(), shape: [3])
        },
        Change("text for a number", "the attribute 'family': expected text of a fixed width") { file, _ in
            replaceAttribute(
                file, "family", type: vernier_h5_int64_le(), memory: vernier_h5_native_int64(), shape: [])
        },
        Change("another version", "expected vernier-statistics 1 to 4, found vernier-statistics 7") { file, _ in
            setInteger(file, "schemaVersion", 7)
        },
        Change("absurd layers", "model identity: expected 1 to 1024 layers, found 1099511627776") { file, _ in
            setInteger(file, "layers", 1 << 40)
        },
        Change("more layers than numbers", "numbers of 8 bytes by the header, found a file of") { file, _ in
            setInteger(file, "layers", 1024)
        },
        Change("absurd prompts", "expected at least \(Int.max) numbers of 8 bytes by the header") { file, _ in
            setInteger(file, "promptCount", .max)
            setInteger(file, "corpusPromptCount", .max)
            setInteger(file, "complete", 1)
        },
        Change("negative prompts", "expected at most 6 prompts and 'complete' to match, found -1 prompts") { file, _ in
            setInteger(file, "promptCount", -1)
        },
        Change("wrongly complete", "'complete' to match, found 3 prompts") { file, _ in
            setInteger(file, "complete", 1)
        },
        Change("fewer rows than prompts", "the data set 'corpusIndex': expected the shape [2], found [3]") { file, _ in
            setInteger(file, "promptCount", 2)
        },
        Change("a sum that is no number", "expected finite sums of positionMass, found nan at branch 0, layer 0") {
            file, _ in
            setNumber(file, "sums/positionMass", 3, .nan)
        },
        Change("a sum of nothing", "expected sums of currentMass that are the sums of its rows, found others") {
            file, _ in
            setNumber(file, "sums/currentMass", 5, 0.25)
        },
        Change("a row that is no number", "expected sums of topMass that are the sums of its rows") { file, _ in
            setNumber(file, "rows/topMass", 5, .nan)
        },
        Change("a cell counted twice", "expected 3 prompts counted at branch 0, layer 0, head 0, scale 1, found") {
            file, _ in
            setNumber(file, "counts", 1, 4)
        },
        Change("a journal out of order", "expected a journal of ascending corpus indices from 0 to 5") { file, _ in
            setNumber(file, "journal/corpusIndex", 1, 0)
        },
    ]

    @Test(arguments: changes) func contentThatBreaksTheFormat(_ change: Change) throws {
        _ = try writeGood()
        try Bytes(path).write(to: folder.file("other.h5"))
        try HDF5Session.run(fileName: "s.h5") { session in
            let access = try session.list(vernier_h5_file_access())
            try session.check(vernier_h5_prepare_access(access), .fileAccess, "prepare")
            let file = try session.keep(H5Fopen(path, vernier_h5_read_write(), access), .fileAccess, "open")
            change.apply(file, folder.path)
            try session.flush(file)
        }
        #expect(error().hasPrefix("s.h5: expected "), "the seal is broken")
        try StatisticsSeal.apply(to: path, fileName: "s.h5")
        let found = error()
        #expect(found.contains(change.part), "\(found)")
        #expect(found.hasPrefix("s.h5"), "\(found)")
        #expect(HDF5Session.openObjectCount == 0, "objects left open")
    }

    @Test func nothingIsPrinted() async throws {
        let result = await #expect(processExitsWith: .success, observing: [\.standardErrorContent]) {
            let folder = TemporaryDirectory()
            let path = folder.file("s.h5")
            try StatisticsFile.write(SmallCalibration.counted(0..<1), to: path)
            var bytes = Bytes(path)
            for place in 512..<bytes.all.count where place % 7 == 0 { bytes.all[place] ^= 0x55 }
            try bytes.write(to: path)
            try StatisticsSeal.apply(to: path, fileName: "s.h5")
            #expect(throws: VernierError.self) { try StatisticsFile.read(path) }
        }
        #expect(result.map { String(decoding: $0.standardErrorContent, as: UTF8.self) }?.contains("HDF5") == false)
    }
}
