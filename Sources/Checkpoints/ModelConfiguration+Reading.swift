import ProfileFormat
import VernierCore

extension ModelConfiguration {
    /// Reads the file at `path`.
    ///
    /// Throws ``VernierError/Code/fileAccess``, ``VernierError/Code/unsupportedVersion`` for another version or family,
    /// and ``VernierError/Code/malformedFile`` for anything missing, unknown, of the wrong type, out of range or
    /// contradictory.
    public init(path: String) throws {
        let file = try MappedFile(path: path)
        let value = try file.withBytes { try JSONValue.parse($0, name: file.name) }
        try self.init(reading: JSONCursor(value, place: file.name))
    }

    /// Reads a parsed configuration; see ``init(path:)``.
    public init(reading root: JSONCursor) throws {
        // Version and family come first: a newer file may have members that this build does not know.
        try Self.checkKind(of: root)
        let family = try root.member("family").string()
        let textKeys = family == "infinity" ? ["text_encoder"] : []
        try root.requireOnly(
            keys: ["format", "version", "family", "name", "transformer", "schedule", "tokenizer"] + textKeys
                + ["sampling"])
        let name = try root.member("name")
        guard (1...200).contains(try name.string().utf8.count) else {
            throw name.error(expected: "a name of 1 to 200 bytes")
        }
        let grids = try root.member("schedule")
        let architecture: ModelArchitecture, schedule: ScaleSchedule
        if family == "infinity" {
            let numbers = try InfinityConfiguration(reading: root)
            architecture = .infinity(numbers)
            schedule = try Self.schedule(grids, ropeGrid: numbers.transformer.ropeGrid)
        } else {
            architecture = .var(try VARConfiguration(reading: root))
            schedule = try Self.schedule(grids, ropeGrid: nil)
        }
        self.init(
            name: try name.string(), architecture: architecture, schedule: schedule,
            sampling: try SamplingDefaults(reading: root.member("sampling")))
    }

    private static func checkKind(of root: JSONCursor) throws {
        let format = try root.member("format")
        guard try format.string() == Self.format else {
            throw format.error(expected: "\"\(Self.format)\"", remedy: "Give the config.json of a model directory.")
        }
        let version = try root.member("version")
        guard try version.integer() == Self.version else {
            throw VernierError(
                .unsupportedVersion, at: version.place, expected: "version \(Self.version)",
                found: version.value.summary, remedy: "Convert the model again with this version of Vernier.")
        }
        let family = try root.member("family")
        guard families.contains(try family.string()) else {
            throw VernierError(
                .unsupportedVersion, at: family.place, expected: "one of the families \(families)",
                found: family.value.summary, remedy: "Use a version of Vernier that knows this family.")
        }
    }

    /// Reads the maps; without rotary positions the last one stands for their reference.
    private static func schedule(_ cursor: JSONCursor, ropeGrid: ScaleSchedule.Grid?) throws -> ScaleSchedule {
        let grids = try cursor.elements().map { try ScaleSchedule.Grid(reading: $0) }
        do {
            return try ScaleSchedule(
                grids: grids, ropeGrid: ropeGrid ?? grids.last ?? ScaleSchedule.Grid(height: 1, width: 1))
        } catch let error as VernierError {
            throw VernierError(.malformedFile, at: cursor.place, problems: error.problems, remedy: error.remedy)
        }
    }
}

extension ScaleSchedule.Grid {
    /// Reads `[height, width]`.
    fileprivate init(reading cursor: JSONCursor) throws {
        let sides = try cursor.elements(count: 2).map { try $0.integer(in: 1...4096) }
        self.init(height: sides[0], width: sides[1])
    }
}

extension InfinityConfiguration {
    /// Reads the members of a whole configuration that are the family's.
    init(reading root: JSONCursor) throws {
        let textEncoder = try root.member("text_encoder")
        try textEncoder.requireOnly(keys: ["max_tokens"])
        transformer = try TransformerConfiguration(reading: root.member("transformer"))
        tokenizer = try ImageTokenizerConfiguration(reading: root.member("tokenizer"))
        guard tokenizer.bitsPerToken == transformer.bits else {
            throw try root.member("transformer").member("bits").error(
                expected: "the tokeniser's \(tokenizer.bitsPerToken) bits per token", found: "\(transformer.bits)")
        }
        maximumTextTokens = try textEncoder.member("max_tokens").integer(in: 1...65536)
    }
}

extension VARConfiguration {
    /// Reads the members of a whole configuration that are the family's.
    init(reading root: JSONCursor) throws {
        let transformer = try root.member("transformer")
        try transformer.requireOnly(keys: ["depth", "width", "heads", "mlp_width", "classes"])
        depth = try transformer.member("depth").integer(in: 1...1024)
        width = try transformer.member("width").integer(in: 1...65536)
        heads = try transformer.member("heads").integer(in: 1...1024)
        mlpWidth = try transformer.member("mlp_width").integer(in: 1...(1 << 20))
        classes = try transformer.member("classes").integer(in: 1...(1 << 24))
        guard width.isMultiple(of: heads) else {
            throw try transformer.member("heads").error(expected: "a divisor of width \(width)")
        }
        let tokenizer = try root.member("tokenizer")
        try tokenizer.requireOnly(keys: ["codebook_size", "code_channels", "base_channels", "channel_multipliers"])
        codebookSize = try tokenizer.member("codebook_size").integer(in: 2...(1 << 24))
        codeChannels = try tokenizer.member("code_channels").integer(in: 1...65536)
        (baseChannels, channelMultipliers) = try ImageTokenizerConfiguration.levels(reading: tokenizer)
    }
}

extension TransformerConfiguration {
    init(reading cursor: JSONCursor) throws {
        try cursor.requireOnly(keys: [
            "depth", "block_chunks", "width", "heads", "mlp_width", "text_width", "text_pool_heads", "bits",
            "rope_grid",
        ])
        func number(_ key: String, upTo bound: Int) throws -> Int { try cursor.member(key).integer(in: 1...bound) }
        depth = try number("depth", upTo: 1024)
        blockChunks = try number("block_chunks", upTo: 1024)
        width = try number("width", upTo: 65536)
        heads = try number("heads", upTo: 1024)
        mlpWidth = try number("mlp_width", upTo: 1 << 20)
        textWidth = try number("text_width", upTo: 65536)
        textPoolHeads = try number("text_pool_heads", upTo: 1024)
        bits = try number("bits", upTo: 4096)
        ropeGrid = try ScaleSchedule.Grid(reading: cursor.member("rope_grid"))
        guard depth.isMultiple(of: blockChunks) else {
            throw try cursor.member("block_chunks").error(expected: "a divisor of depth \(depth)")
        }
        guard width.isMultiple(of: heads), (width / heads).isMultiple(of: 4) else {
            // Rotary positions take half of a head for rows, half for columns, in pairs.
            throw try cursor.member("heads").error(
                expected: "a number that cuts width \(width) into multiples of 4 channels")
        }
        guard width.isMultiple(of: textPoolHeads) else {
            throw try cursor.member("text_pool_heads").error(expected: "a divisor of width \(width)")
        }
    }
}

extension ImageTokenizerConfiguration {
    init(reading cursor: JSONCursor) throws {
        try cursor.requireOnly(keys: ["bits", "base_channels", "channel_multipliers", "spatial_patchify"])
        bits = try cursor.member("bits").integer(in: 1...1024)
        (baseChannels, channelMultipliers) = try Self.levels(reading: cursor)
        spatialPatchify = try cursor.member("spatial_patchify").bool()
    }

    /// The channels of a decoder's levels, which both families state alike.
    fileprivate static func levels(reading cursor: JSONCursor) throws -> (base: Int, multipliers: [Int]) {
        let base = try cursor.member("base_channels")
        let baseChannels = try base.integer(in: 1...65536)
        guard baseChannels.isMultiple(of: 32) else {
            throw base.error(expected: "a multiple of 32, the groups of the normalisation")
        }
        let multipliers = try cursor.member("channel_multipliers")
        let channelMultipliers = try multipliers.integers(in: 1...64)
        guard (1...8).contains(channelMultipliers.count) else { throw multipliers.error(expected: "1 to 8 levels") }
        return (baseChannels, channelMultipliers)
    }
}

extension SamplingDefaults {
    init(reading cursor: JSONCursor) throws {
        try cursor.requireOnly(keys: ["guidance", "temperature", "top_k", "top_p"])
        guidance = Float(try cursor.member("guidance").number(in: 0...100))
        temperature = Float(try cursor.member("temperature").number(in: 0.001...100))
        topK = try cursor.member("top_k").integer(in: 0...(1 << 24))
        topP = Float(try cursor.member("top_p").number(in: 0...1))
    }
}
