import ProfileFormat
import TestSupport
import Testing
import VernierCore

@testable import Checkpoints

/// A configuration as text, with every part open to a change.
struct ConfigurationText {
    var head = #""format":"vernier-model","version":1,"family":"infinity","name":"tangram""#
    var transformer =
        #"{"depth":8,"block_chunks":4,"width":128,"heads":4,"mlp_width":512,"text_width":128,"text_pool_heads":1,"#
        + #""bits":16,"rope_grid":[12,12]}"#
    var schedule = "[[1,1],[2,2],[3,3],[4,4],[6,6]]"
    var tokenizer = #"{"bits":16,"base_channels":32,"channel_multipliers":[1,2,2],"spatial_patchify":false}"#
    var textEncoder = #"{"max_tokens":512}"#
    var sampling = #"{"guidance":3.0,"temperature":1.0,"top_k":900,"top_p":0.97}"#
    var tail = ""

    var text: String {
        """
        {\(head),"transformer":\(transformer),"schedule":\(schedule),"tokenizer":\(tokenizer),\
        "text_encoder":\(textEncoder),"sampling":\(sampling)\(tail)}
        """
    }

    func read() throws -> ModelConfiguration {
        try ModelConfiguration(
            reading: JSONCursor(try JSONValue.parse(text, name: "config.json"), place: "config.json"))
    }
}

/// One change to a valid configuration, and a part of the message it must cause.
struct ConfigurationFault: Sendable, CustomTestStringConvertible {
    let part: WritableKeyPath<ConfigurationText, String> & Sendable
    let old: String
    let new: String
    let message: String
    var testDescription: String { "\(old) -> \(new)" }

    init(
        _ part: WritableKeyPath<ConfigurationText, String> & Sendable, _ old: String, _ new: String, _ message: String
    ) {
        self.part = part
        self.old = old
        self.new = new
        self.message = message
    }
}

private let faults: [ConfigurationFault] = [
    ConfigurationFault(\.head, "vernier-model", "other", #"config.json: format: expected "vernier-model""#),
    ConfigurationFault(\.head, #""version":1"#, #""version":2"#, "config.json: version: expected version 1, found 2"),
    ConfigurationFault(\.head, #""version":1"#, #""version":"1""#, "version: expected a whole number"),
    ConfigurationFault(\.head, #"infinity"#, #"dit"#, #"expected one of the families ["infinity", "var"]"#),
    ConfigurationFault(\.head, "tangram", "", "name: expected a name of 1 to 200 bytes"),
    ConfigurationFault(\.head, #","name":"tangram""#, "", #"expected a member "name", found none"#),
    ConfigurationFault(\.tail, "", #","extra":1"#, #"found also "extra""#),
    ConfigurationFault(
        \.transformer, #""depth":8"#, #""depth":0"#, "transformer.depth: expected a whole number from 1"),
    ConfigurationFault(\.transformer, #""depth":8"#, #""depth":-8"#, "transformer.depth"),
    ConfigurationFault(\.transformer, #""depth":8"#, #""depth":8.0"#, "transformer.depth"),
    ConfigurationFault(\.transformer, #""depth":8"#, #""depth":9223372036854775807"#, "transformer.depth"),
    ConfigurationFault(\.transformer, #""depth":8,"#, "", #"a member "depth""#),
    ConfigurationFault(
        \.transformer, #""depth":8"#, #""depth":8,"layers":8"#, #"transformer: expected only the members"#),
    ConfigurationFault(\.transformer, #""block_chunks":4"#, #""block_chunks":3"#, "a divisor of depth 8, found 3"),
    ConfigurationFault(
        \.transformer, #""heads":4"#, #""heads":3"#, "transformer.heads: expected a number that cuts width 128"),
    ConfigurationFault(\.transformer, #""heads":4"#, #""heads":64"#, "into multiples of 4 channels, found 64"),
    ConfigurationFault(\.transformer, #""text_pool_heads":1"#, #""text_pool_heads":3"#, "a divisor of width 128"),
    ConfigurationFault(
        \.transformer, #""bits":16"#, #""bits":32"#, "expected the tokeniser's 16 bits per token, found 32"),
    ConfigurationFault(\.transformer, "[12,12]", "[12]", "transformer.rope_grid: expected an array of 2"),
    ConfigurationFault(\.transformer, "[12,12]", "[0,12]", "transformer.rope_grid[0]"),
    ConfigurationFault(
        \.schedule, "[[1,1],[2,2],[3,3],[4,4],[6,6]]", "[]", "config.json: schedule: expected 1 to 64 scales"),
    ConfigurationFault(\.schedule, "[3,3]", "[3,3,3]", "schedule[2]: expected an array of 2"),
    ConfigurationFault(\.schedule, "[3,3]", "[3,-3]", "schedule[2][1]"),
    ConfigurationFault(\.schedule, "[3,3]", "[3,5000]", "schedule[2][1]"),
    ConfigurationFault(
        \.tokenizer, #""base_channels":32"#, #""base_channels":48"#,
        "tokenizer.base_channels: expected a multiple of 32"),
    ConfigurationFault(\.tokenizer, "[1,2,2]", "[]", "tokenizer.channel_multipliers: expected 1 to 8 levels"),
    ConfigurationFault(\.tokenizer, "[1,2,2]", "[1,0]", "tokenizer.channel_multipliers[1]"),
    ConfigurationFault(\.tokenizer, "false", "0", "tokenizer.spatial_patchify: expected true or false"),
    ConfigurationFault(\.tokenizer, "false", "true", "expected the tokeniser's 64 bits per token, found 16"),
    ConfigurationFault(\.textEncoder, "512", "0", "text_encoder.max_tokens"),
    ConfigurationFault(\.textEncoder, "512", "512,\"min_tokens\":1", "min_tokens"),
    ConfigurationFault(\.sampling, "3.0", "-1", "sampling.guidance"),
    ConfigurationFault(\.sampling, #""temperature":1.0"#, #""temperature":0"#, "sampling.temperature"),
    ConfigurationFault(\.sampling, "900", "-1", "sampling.top_k"),
    ConfigurationFault(\.sampling, "0.97", "1.5", "sampling.top_p"),
    ConfigurationFault(\.sampling, "0.97", "\"all\"", "sampling.top_p"),
]

@Suite("Model configuration")
struct ModelConfigurationTests {
    @Test("Every field is read")
    func fields() throws {
        let configuration = try ConfigurationText().read()
        #expect(configuration.family == "infinity" && configuration.name == "tangram")
        guard case .infinity(let numbers) = configuration.architecture else {
            Issue.record("another family")
            return
        }
        let transformer = numbers.transformer
        #expect(transformer.depth == 8 && transformer.blockChunks == 4 && transformer.blocksPerChunk == 2)
        #expect(transformer.width == 128 && transformer.heads == 4 && transformer.headWidth == 32)
        #expect(transformer.mlpWidth == 512 && transformer.textWidth == 128 && transformer.textPoolHeads == 1)
        #expect(transformer.bits == 16 && transformer.ropeGrid == ScaleSchedule.Grid(height: 12, width: 12))
        #expect(configuration.schedule.scaleCount == 5 && configuration.schedule.ropeGrid == transformer.ropeGrid)
        #expect(configuration.schedule.grids.map(\.tokenCount) == [1, 4, 9, 16, 36])
        let tokenizer = numbers.tokenizer
        #expect(tokenizer.bits == 16 && tokenizer.baseChannels == 32 && tokenizer.channelMultipliers == [1, 2, 2])
        #expect(tokenizer.pixelsPerCode == 4 && tokenizer.pixelsPerToken == 4 && !tokenizer.spatialPatchify)
        #expect(numbers.maximumTextTokens == 512)
        let sampling = configuration.sampling
        #expect(sampling.guidance == 3 && sampling.temperature == 1 && sampling.topK == 900 && sampling.topP == 0.97)
    }

    @Test("A fault is refused at its place", arguments: faults)
    func fault(_ fault: ConfigurationFault) throws {
        var text = ConfigurationText()
        if fault.old.isEmpty {
            text[keyPath: fault.part] = fault.new
        } else {
            let part = text[keyPath: fault.part]
            let range = try #require(part.firstRange(of: fault.old))
            text[keyPath: fault.part] = part.replacingCharacters(in: range, with: fault.new)
        }
        let error = try #require(throws: VernierError.self) { _ = try text.read() }
        #expect(error.description.contains(fault.message), "\(error)")
        #expect(
            error.code
                == (["2", "dit"].contains { fault.new.hasSuffix($0) && fault.part == \.head }
                    ? .unsupportedVersion : .malformedFile))
    }

    @Test("A newer version is named before its unknown members are")
    func versionFirst() throws {
        var text = ConfigurationText()
        text.head = #""format":"vernier-model","version":7,"brand_new":true"#
        let error = try #require(throws: VernierError.self) { _ = try text.read() }
        #expect(error.code == .unsupportedVersion && error.description.contains("expected version 1, found 7"))
    }

    @Test("Patches count four times the bits and twice the pixels")
    func patches() throws {
        var text = ConfigurationText()
        text.tokenizer = #"{"bits":4,"base_channels":32,"channel_multipliers":[1,2,2,2],"spatial_patchify":true}"#
        guard case .infinity(let numbers) = try text.read().architecture else {
            Issue.record("another family")
            return
        }
        let tokenizer = numbers.tokenizer
        #expect(tokenizer.bitsPerToken == 16 && tokenizer.pixelsPerCode == 8 && tokenizer.pixelsPerToken == 16)
    }

    @Test("The shape digest sees numbers that shape the computation, not names, schedule, chunks or sampling")
    func shapeDigest() throws {
        let digest = try ConfigurationText().read().shapeDigest
        #expect(digest.utf8.count == 64)
        func changed(_ part: WritableKeyPath<ConfigurationText, String>, _ new: String) throws -> String {
            var text = ConfigurationText()
            text[keyPath: part] = new
            return try text.read().shapeDigest
        }
        let same: [(WritableKeyPath<ConfigurationText, String>, String)] = [
            (\.head, #""format":"vernier-model","version":1,"family":"infinity","name":"other""#),
            (\.schedule, "[[1,1],[8,8]]"), (\.textEncoder, #"{"max_tokens":64}"#),
            (\.sampling, #"{"guidance":1,"temperature":2,"top_k":0,"top_p":0}"#),
        ]
        for (part, new) in same { #expect(try changed(part, new) == digest) }
        let whole = ConfigurationText().transformer
        for (old, new) in [
            ("\"depth\":8", "\"depth\":4"), ("\"width\":128", "\"width\":256"), ("\"heads\":4", "\"heads\":8"),
            ("512", "256"), ("\"text_width\":128", "\"text_width\":64"), ("heads\":1", "heads\":2"),
            ("[12,12]", "[12,16]"),
        ] {
            let range = try #require(whole.firstRange(of: old))
            #expect(try changed(\.transformer, whole.replacingCharacters(in: range, with: new)) != digest, "\(old)")
        }
        #expect(
            try changed(
                \.tokenizer, #"{"bits":16,"base_channels":32,"channel_multipliers":[1,2],"spatial_patchify":false}"#)
                != digest)
    }

    @Test("One checkpoint has one shape digest whichever official schedule it is set up for, or run at")
    func shapeDigestOfOfficialSchedules() throws {
        func text(_ official: InfinitySchedule) -> ConfigurationText {
            func pair(_ grid: ScaleSchedule.Grid) -> String { "[\(grid.height),\(grid.width)]" }
            var text = ConfigurationText()
            text.transformer = text.transformer.replacing("[12,12]", with: pair(official.aspect.referenceGrid))
            text.schedule = "[\(official.schedule.grids.map(pair).joined(separator: ","))]"
            return text
        }
        let square = InfinitySchedule(resolution: .full)
        let digest = try text(square).read().shapeDigest
        for official in InfinitySchedule.all {
            let configuration = try text(official).read()
            #expect(configuration.schedule == official.schedule)
            #expect(configuration.shapeDigest == digest)
            let chosen = try configuration.choosing(ScheduleChoice(resolution: .quarter, aspect: .square))
            #expect(chosen.schedule == InfinitySchedule(resolution: .quarter).schedule)
            #expect(chosen.shapeDigest == digest && chosen.architecture == configuration.architecture)
        }
        // The square one's digest is what it always was: its reference grid among the other numbers.
        var own = text(square)
        own.schedule = ConfigurationText().schedule
        #expect(try own.read().shapeDigest == digest)
        let error = try #require(throws: VernierError.self) {
            try own.read().choosing(ScheduleChoice(resolution: .full))
        }
        #expect(error.code == .invalidArgument && error.description.contains("found one with its own"))
    }
}

extension String {
    fileprivate func replacingCharacters(in range: Range<Index>, with new: String) -> String {
        self[..<range.lowerBound] + new + self[range.upperBound...]
    }
}
