import CHDF5Shim
import CalibrationStatistics
import ProfileFormat
import TestSupport
import Testing
import VernierCore

@testable import StatisticsFile

/// The format as documented, read with plain calls of the HDF5 library.
@Suite struct StatisticsFileFormatTests {
    /// What the library says about a data set or attribute: type, extents, raw bytes.
    struct Raw: Equatable {
        var type: String
        var shape: [Int]
    }

    static func typeName(_ type: hid_t) -> String {
        if H5Tequal(type, vernier_h5_float64_le()) > 0 { return "f64" }
        if H5Tequal(type, vernier_h5_float32_le()) > 0 { return "f32" }
        if H5Tequal(type, vernier_h5_int64_le()) > 0 { return "i64" }
        if H5Tequal(type, vernier_h5_uint64_le()) > 0 { return "u64" }
        let isText =
            H5Tget_class(type) == H5T_STRING && H5Tis_variable_str(type) == 0 && H5Tget_cset(type) == H5T_CSET_UTF8
            && H5Tget_strpad(type) == H5T_STR_NULLPAD
        return isText ? "text" : "other"
    }

    static func shape(_ space: hid_t) -> [Int] {
        let rank = Int(H5Sget_simple_extent_ndims(space))
        guard rank > 0 else { return [] }
        var extents = [hsize_t](repeating: 0, count: rank)
        H5Sget_simple_extent_dims(space, &extents, nil)
        return extents.map { Int($0) }
    }

    @Test func namesTypesAndShapesAreAsDocumented() throws {
        let folder = TemporaryDirectory()
        let path = folder.file("s.h5")
        let statistics = try SmallCalibration.counted(0..<5, signs: 3, halves: true, probed: 2)
        try StatisticsFile.write(statistics, to: path)
        let documented: [String: Raw] = [
            "format": Raw(type: "text", shape: []), "schemaVersion": Raw(type: "i64", shape: []),
            "toolVersion": Raw(type: "text", shape: []), "family": Raw(type: "text", shape: []),
            "name": Raw(type: "text", shape: []), "branches": Raw(type: "i64", shape: []),
            "layers": Raw(type: "i64", shape: []), "heads": Raw(type: "i64", shape: []),
            "headWidth": Raw(type: "i64", shape: []), "shapeDigest": Raw(type: "text", shape: []),
            "weightsDigest": Raw(type: "text", shape: []), "grids": Raw(type: "i64", shape: [4, 2]),
            "ropeGrid": Raw(type: "i64", shape: [2]), "historyTokens": Raw(type: "i64", shape: [4]),
            "topCounts": Raw(type: "i64", shape: [3]), "signCount": Raw(type: "i64", shape: []),
            "keepsHalves": Raw(type: "i64", shape: []),
            "sensitivityPrompts": Raw(type: "i64", shape: []), "storageFormats": Raw(type: "text", shape: []),
            "seed": Raw(type: "u64", shape: []),
            "guidance": Raw(type: "f64", shape: []), "temperature": Raw(type: "f64", shape: []),
            "topP": Raw(type: "f64", shape: []), "topK": Raw(type: "i64", shape: []),
            "corpusDigest": Raw(type: "text", shape: []), "corpusPromptCount": Raw(type: "i64", shape: []),
            "promptCount": Raw(type: "i64", shape: []), "complete": Raw(type: "i64", shape: []),
        ]
        let datasets: [String: Raw] = [
            "journal/corpusIndex": Raw(type: "i64", shape: [5]), "journal/promptDigest": Raw(type: "text", shape: [5]),
            "counts": Raw(type: "i64", shape: [2, 3, 2, 4]),
            "sums/currentMass": Raw(type: "f64", shape: [2, 3, 2, 4]),
            "sums/topMass": Raw(type: "f64", shape: [2, 3, 2, 4, 3]),
            "sums/sourceMass": Raw(type: "f64", shape: [2, 3, 2, 4, 4]),
            "sums/rowEntropy": Raw(type: "f64", shape: [2, 3, 2, 4]),
            "sums/columnVariance": Raw(type: "f64", shape: [2, 3, 2, 4]),
            "sums/positionMass": Raw(type: "f64", shape: [2, 3, 2, 11]),
            "sums/positionWeight": Raw(type: "f64", shape: [2, 3, 2, 11]),
            "sketches/attention": Raw(type: "f32", shape: [2, 3, 2, 11, 3]),
            "sketches/key": Raw(type: "f32", shape: [2, 3, 2, 11, 3]),
            "sketches/value": Raw(type: "f32", shape: [2, 3, 2, 7, 3]),
            "evenSketches/attention": Raw(type: "f32", shape: [2, 3, 2, 11, 3]),
            "evenSketches/key": Raw(type: "f32", shape: [2, 3, 2, 11, 3]),
            "evenSketches/value": Raw(type: "f32", shape: [2, 3, 2, 7, 3]),
            "responses/divergence": Raw(type: "f64", shape: [2, 3, 4]),
            "responses/squaredError": Raw(type: "f64", shape: [2, 3, 4]),
            "storageErrors/bfloat16": Raw(type: "f64", shape: [2, 2, 3, 2, 4]),
            "storageErrors/int8": Raw(type: "f64", shape: [2, 2, 3, 2, 4]),
            "storageErrors/int4": Raw(type: "f64", shape: [2, 2, 3, 2, 4]),
            "rows/currentMass": Raw(type: "f64", shape: [5, 2, 3, 2, 4]),
            "rows/topMass": Raw(type: "f64", shape: [5, 2, 3, 2, 4, 3]),
            "rows/sourceMass": Raw(type: "f64", shape: [5, 2, 3, 2, 4, 4]),
            "rows/rowEntropy": Raw(type: "f64", shape: [5, 2, 3, 2, 4]),
            "rows/columnVariance": Raw(type: "f64", shape: [5, 2, 3, 2, 4]),
        ]
        try HDF5Session.run(fileName: "s.h5") { session in
            let file = try session.openFile(path)
            var attributeCount = 0
            for (name, expected) in documented {
                let attribute = try session.keep(H5Aopen(file, name, vernier_h5_default()), .malformedFile, name)
                let type = try session.keep(H5Aget_type(attribute), .malformedFile, name)
                let space = try session.keep(H5Aget_space(attribute), .malformedFile, name)
                #expect(Raw(type: Self.typeName(type), shape: Self.shape(space)) == expected, "\(name)")
                attributeCount += 1
            }
            let root = try session.keep(H5Gopen2(file, "/", vernier_h5_default()), .malformedFile, "root")
            #expect(H5Aget_num_attrs(root) == Int32(attributeCount))
            for (name, expected) in datasets {
                let dataset = try session.keep(H5Dopen2(file, name, vernier_h5_default()), .malformedFile, name)
                let type = try session.keep(H5Dget_type(dataset), .malformedFile, name)
                let space = try session.keep(H5Dget_space(dataset), .malformedFile, name)
                #expect(Raw(type: Self.typeName(type), shape: Self.shape(space)) == expected, "\(name)")
                #expect(vernier_h5_is_plain_storage(dataset) == 1)
                for note in ["dimensions", "unit"] {
                    #expect(try !session.readTextAttribute(note, of: dataset).isEmpty)
                }
                let dimensions = try session.readTextAttribute("dimensions", of: dataset)
                #expect(dimensions.split(separator: " ").count == expected.shape.count, "\(name)")
            }
            for (group, members) in [
                (".", 8), ("evenSketches", 3), ("journal", 2), ("sums", 7), ("rows", 5), ("sketches", 3),
                ("responses", 2),
                ("storageErrors", 3),
            ] {
                var information = H5G_info_t()
                #expect(H5Gget_info_by_name(file, group, &information, vernier_h5_default()) >= 0)
                #expect(information.nlinks == UInt64(members), "\(group)")
            }
            #expect(try session.readTextAttribute("name", of: file) == "Größe-1")
            #expect(try session.readAttribute("seed", of: file, as: UInt64.self) == .max)
            #expect(
                try session.readListAttribute("historyTokens", of: file, as: Int.self) == [0, 1, 3, 7])

            // A plain read of one number where the documentation says it lies.
            var sums = [Double](repeating: 0, count: 2 * 3 * 2 * 11)
            let dataset = try session.keep(
                H5Dopen2(file, "sums/positionMass", vernier_h5_default()), .malformedFile, "sums")
            H5Dread(
                dataset, vernier_h5_native_double(), vernier_h5_all(), vernier_h5_all(), vernier_h5_default(), &sums)
            let mean = statistics.positionMass(branch: 1, layer: 2, head: 1, scale: 3)[2]
            #expect(sums[((1 * 3 + 2) * 2 + 1) * 11 + (0 + 1 + 3) + 2] / 5 == mean)
            var sketch = [Float](repeating: 0, count: 2 * 3 * 2 * 11 * 3)
            let keys = try session.keep(
                H5Dopen2(file, "sketches/key", vernier_h5_default()), .malformedFile, "sketches")
            H5Dread(
                keys, vernier_h5_native_float(), vernier_h5_all(), vernier_h5_all(), vernier_h5_default(), &sketch)
            let scaled = statistics.keySketch(branch: 1, layer: 2, head: 1, scale: 3)
            #expect(scaled.count == 7 * 3)
            // 5 prompts, 9 queries, 3 signs.
            let position = ((1 * 3 + 2) * 2 + 1) * 11 + (0 + 1 + 3) + 2
            let raw: Float = sketch[position * 3 + 1], terms: Float = 5 * 9 * 3
            expectClose([scaled[2 * 3 + 1]], [raw / terms.squareRoot()], tolerance: 1e-5, what: "a key sketch")
        }
    }

    @Test func nothingIsWrittenOfWhatIsLeftOut() throws {
        let folder = TemporaryDirectory()
        let path = folder.file("s.h5")
        try StatisticsFile.write(SmallCalibration.counted(0..<2), to: path)
        try HDF5Session.run(fileName: "s.h5") { session in
            let file = try session.openFile(path)
            #expect(H5Lexists(file, "sketches", vernier_h5_default()) == 0)
            #expect(H5Lexists(file, "evenSketches", vernier_h5_default()) == 0)
            #expect(H5Lexists(file, "responses", vernier_h5_default()) == 0)
            #expect(H5Lexists(file, "storageErrors", vernier_h5_default()) == 0)
            #expect(try session.readTextAttribute("storageFormats", of: file).isEmpty)
            #expect(try session.readAttribute("signCount", of: file, as: Int.self) == 0)
        }
        let read = try StatisticsFile.read(path)
        #expect(!read.hasSketches && !read.hasStorageErrors)
    }

    /// float32, the rule, is not written: files keep their bytes.
    @Test func arithmeticIsWrittenOnlyIfItIsAnother() throws {
        let folder = TemporaryDirectory()
        let path = folder.file("s.h5")
        for arithmetic in Arithmetic.allCases {
            let statistics = try SmallCalibration.counted(0..<2, arithmetic: arithmetic)
            try StatisticsFile.write(statistics, to: path)
            try HDF5Session.run(fileName: "s.h5") { session in
                let file = try session.openFile(path), isThere = try session.hasAttribute("arithmetic", of: file)
                #expect(isThere == (arithmetic != .float32))
                if isThere { #expect(try session.readTextAttribute("arithmetic", of: file) == "bfloat16") }
            }
            let read = try StatisticsFile.read(path)
            #expect(read == statistics && read.settings.arithmetic == arithmetic)
            #expect(try StatisticsFile.readSummary(path).settings.arithmetic == arithmetic)
        }
    }

    /// A file of version 3 is one of version 4 without halves, one of version 2 one of version 3 without storage errors that says so nowhere, one of version 1 likewise one
    /// of version 2 without sketches.
    @Test(arguments: [1, 2, 3]) func olderVersionsAreStillRead(version: Int) throws {
        let folder = TemporaryDirectory()
        let path = folder.file("s.h5")
        let statistics =
            version == 1
            ? try SmallCalibration.counted(0..<2)
            : try SmallCalibration.counted(
                0..<2, signs: 3, probed: 1, formats: version == 2 ? [] : SmallCalibration.formats)
        try StatisticsFile.write(statistics, to: path)
        try HDF5Session.run(fileName: "s.h5") { session in
            let access = try session.list(vernier_h5_file_access())
            let file = try session.keep(H5Fopen(path, vernier_h5_read_write(), access), .fileAccess, "open")
            H5Adelete(file, "keepsHalves")
            if version < 3 { H5Adelete(file, "storageFormats") }
            if version == 1 {
                H5Adelete(file, "signCount")
                H5Adelete(file, "sensitivityPrompts")
            }
            HostileFilesTests.setInteger(file, "schemaVersion", Int64(version))
            try session.flush(file)
        }
        try StatisticsSeal.apply(to: path, fileName: "s.h5")
        var bytes = Bytes(path).all
        bytes[19] = UInt8(ascii: "0") + UInt8(version)
        try Bytes.write(bytes, to: path)
        #expect(try StatisticsFile.read(path) == statistics)
        let settings = try StatisticsFile.readSummary(path).settings
        #expect(settings.signCount == (version == 1 ? 0 : 3) && settings.storageFormats.isEmpty == (version < 3))
        #expect(!settings.keepsHalves)
    }

    @Test func theSealIsAsDocumented() throws {
        let folder = TemporaryDirectory()
        let path = folder.file("s.h5")
        try StatisticsFile.write(SmallCalibration.counted(0..<1), to: path)
        let bytes = Bytes(path)
        let digest = Bytes.digest(bytes.all[512...])
        let expected = "vernier-statistics 4\nsha256 \(digest)\nbytes \(bytes.all.count)\n"
        #expect(String(decoding: bytes.all.prefix(512).prefix { $0 != 0 }, as: UTF8.self) == expected)
        #expect(bytes.all[512..<516].elementsEqual([0x89, 0x48, 0x44, 0x46]))
    }
}
