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
        try root.requireOnly(keys: [
            "format", "version", "family", "name", "transformer", "schedule", "tokenizer", "text_encoder", "sampling",
        ])
        let name = try root.member("name")
        guard (1...200).contains(try name.string().utf8.count) else {
            throw name.error(expected: "a name of 1 to 200 bytes")
        }
        let textEncoder = try root.member("text_encoder")
        try textEncoder.requireOnly(keys: ["max_tokens"])
        let transformer = try TransformerConfiguration(reading: root.member("transformer"))
        let tokenizer = try ImageTokenizerConfiguration(reading: root.member("tokenizer"))
        guard tokenizer.bitsPerToken == transformer.bits else {
            throw try root.member("transformer").member("bits").error(
                expected: "the tokeniser's \(tokenizer.bitsPerToken) bits per token", found: "\(transformer.bits)")
        }
        self.init(
            family: try root.member("family").string(), name: try name.string(), transformer: transformer,
            schedule: try Self.schedule(root.member("schedule"), ropeGrid: transformer.ropeGrid),
            tokenizer: tokenizer, maximumTextTokens: try textEncoder.member("max_tokens").integer(in: 1...65536),
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

    private static func schedule(_ cursor: JSONCursor, ropeGrid: ScaleSchedule.Grid) throws -> ScaleSchedule {
        let grids = try cursor.elements().map { try ScaleSchedule.Grid(reading: $0) }
        do {
            return try ScaleSchedule(grids: grids, ropeGrid: ropeGrid)
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
        let base = try cursor.member("base_channels")
        baseChannels = try base.integer(in: 1...65536)
        guard baseChannels.isMultiple(of: 32) else {
            throw base.error(expected: "a multiple of 32, the groups of the normalisation")
        }
        let multipliers = try cursor.member("channel_multipliers")
        channelMultipliers = try multipliers.integers(in: 1...64)
        guard (1...8).contains(channelMultipliers.count) else { throw multipliers.error(expected: "1 to 8 levels") }
        spatialPatchify = try cursor.member("spatial_patchify").bool()
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
