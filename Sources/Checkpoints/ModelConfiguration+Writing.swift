import ProfileFormat
import VernierCore

extension ModelConfiguration {
    /// The configuration as `config.json` has it; ``init(reading:)`` reads it back equal.
    public func json() -> JSONValue {
        var root: JSONObject
        switch architecture {
        case .infinity(let numbers): root = numbers.members
        case .var(let numbers): root = numbers.members
        }
        root["format"] = .string(Self.format)
        root["version"] = .integer(Int64(Self.version))
        root["family"] = .string(family)
        root["name"] = .string(name)
        root["schedule"] = .array(schedule.grids.map(\.json))
        root["sampling"] = sampling.json
        return .object(root)
    }

    /// The same configuration, if its numbers are in range and fit together.
    ///
    /// Throws ``VernierError/Code/malformedFile`` as reading it from a file would, naming the field.
    public func checked() throws -> ModelConfiguration {
        try ModelConfiguration(reading: JSONCursor(json(), place: "the model's numbers"))
    }
}

extension ScaleSchedule.Grid {
    /// `[height, width]`.
    fileprivate var json: JSONValue { .array([.count(height), .count(width)]) }
}

extension JSONValue {
    fileprivate static func count(_ number: Int) -> JSONValue { .integer(Int64(number)) }

    fileprivate static func counts(_ numbers: [Int]) -> JSONValue { .array(numbers.map(count)) }

    /// A single-precision number in the shortest form that reads back equal: 0.97, not 0.9700000286102295.
    fileprivate static func single(_ number: Float) -> JSONValue {
        if let short = Double("\(number)"), Float(short) == number { return .number(short) }
        return .number(Double(number))
    }
}

extension InfinityConfiguration {
    /// The members that are the family's.
    fileprivate var members: JSONObject {
        var members = JSONObject()
        let sizes = transformer
        members["transformer"] = [
            "depth": .count(sizes.depth), "block_chunks": .count(sizes.blockChunks), "width": .count(sizes.width),
            "heads": .count(sizes.heads), "mlp_width": .count(sizes.mlpWidth), "text_width": .count(sizes.textWidth),
            "text_pool_heads": .count(sizes.textPoolHeads), "bits": .count(sizes.bits),
            "rope_grid": sizes.ropeGrid.json,
        ]
        members["tokenizer"] = [
            "bits": .count(tokenizer.bits), "base_channels": .count(tokenizer.baseChannels),
            "channel_multipliers": .counts(tokenizer.channelMultipliers),
            "spatial_patchify": .bool(tokenizer.spatialPatchify),
        ]
        members["text_encoder"] = ["max_tokens": .count(maximumTextTokens)]
        return members
    }
}

extension VARConfiguration {
    /// The members that are the family's.
    fileprivate var members: JSONObject {
        var members = JSONObject()
        members["transformer"] = [
            "depth": .count(depth), "width": .count(width), "heads": .count(heads), "mlp_width": .count(mlpWidth),
            "classes": .count(classes),
        ]
        members["tokenizer"] = [
            "codebook_size": .count(codebookSize), "code_channels": .count(codeChannels),
            "base_channels": .count(baseChannels), "channel_multipliers": .counts(channelMultipliers),
        ]
        return members
    }
}

extension SamplingDefaults {
    fileprivate var json: JSONValue {
        [
            "guidance": .single(guidance), "temperature": .single(temperature), "top_k": .count(topK),
            "top_p": .single(topP),
        ]
    }
}
