import VernierCore

/// Records as columns of equal length, one entry a picture, `null` where nothing was measured.
package enum PictureColumns {
    /// The columns. Infinite values (PSNR of equal pictures) are `null`; the mean square, which is 0 there, is given too.
    package static func json(_ records: [PictureRecord]) -> JSONValue {
        func column(_ value: (PictureRecord) -> Double?) -> JSONValue { .array(records.map { .finite(value($0)) }) }
        func attribute(_ value: (SceneScore) -> Bool?) -> JSONValue {
            .array(records.map { $0.sceneScore.flatMap(value).map(JSONValue.bool) ?? .null })
        }
        return [
            "prompt": .array(records.map { .integer(Int64($0.prompt)) }),
            "seed": .array(records.map { .integer(Int64($0.seed)) }),
            "meanSquaredError": column(\.meanSquaredError),
            "psnrDecibels": column { $0.meanSquaredError.map { PeakSignalNoise.decibels(meanSquaredError: $0) } },
            "structuralSimilarity": column(\.structuralSimilarity), "bitAgreement": column(\.bitAgreement),
            "forcedDecodingKLNats": column(\.forcedDecodingKLNats),
            "forcedDecodingKLNatsByScale": .array(
                records.map { .array($0.forcedDecodingKLNatsByScale.map { .finite($0) }) }),
            "seconds": column(\.seconds),
            "scene": [
                "colour": attribute(\.colour), "shape": attribute(\.shape), "size": attribute(\.size),
                "relation": attribute(\.relation), "background": attribute(\.background), "count": attribute(\.count),
                "allCorrect": attribute(\.allCorrect),
            ],
        ]
    }

    /// Reads what ``json(_:)`` writes; columns that follow from others are not looked at.
    ///
    /// Throws ``VernierError/Code/malformedFile`` if a column is missing, of another length or of another type.
    package static func records(reading cursor: JSONCursor) throws -> [PictureRecord] {
        let prompts = try cursor.member("prompt").integers(in: 0...Int.max), count = prompts.count
        func column(_ key: String) throws -> [Double?] {
            try cursor.member(key).elements(count: count).map { $0.value == .null ? nil : try $0.number() }
        }
        func attribute(_ key: String) throws -> [Bool?] {
            try cursor.member("scene").member(key).elements(count: count).map {
                $0.value == .null ? nil : try $0.bool()
            }
        }
        let seeds = try cursor.member("seed").elements(count: count).map { try $0.integer(in: 0...Int.max) }
        let squares = try column("meanSquaredError"), similarities = try column("structuralSimilarity")
        let agreements = try column("bitAgreement"), divergences = try column("forcedDecodingKLNats")
        let seconds = try column("seconds")
        let byScale = try cursor.member("forcedDecodingKLNatsByScale").elements(count: count).map {
            try $0.numbers()
        }
        let colours = try attribute("colour"), shapes = try attribute("shape"), sizes = try attribute("size")
        let relations = try attribute("relation"), backgrounds = try attribute("background")
        let counts = try attribute("count")
        return (0..<count).map { index in
            var record = PictureRecord(prompt: prompts[index], seed: seeds[index])
            record.meanSquaredError = squares[index]
            record.structuralSimilarity = similarities[index]
            record.bitAgreement = agreements[index]
            record.forcedDecodingKLNats = divergences[index]
            record.forcedDecodingKLNatsByScale = byScale[index]
            record.seconds = seconds[index]
            if let colour = colours[index], let shape = shapes[index], let size = sizes[index],
                let background = backgrounds[index], let count = counts[index]
            {
                record.sceneScore = SceneScore(
                    colour: colour, shape: shape, size: size, relation: relations[index], background: background,
                    count: count)
            }
            return record
        }
    }
}

extension JSONValue {
    /// A number, or `null` for one that is absent or not finite.
    package static func finite(_ value: Double?) -> JSONValue {
        value.flatMap { $0.isFinite ? .number($0) : nil } ?? .null
    }

    /// A seed as a number, or as text if it is beyond the range of signed 64-bit integers.
    package static func seed(_ seed: UInt64) -> JSONValue {
        Int64(exactly: seed).map(JSONValue.integer) ?? .string("\(seed)")
    }
}
