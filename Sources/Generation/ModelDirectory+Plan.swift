import Checkpoints
import ProfileFormat
import TextEncoding

extension ModelDirectory {
    /// What one picture costs; weights are not opened. A model that draws classes has no text tokens.
    ///
    /// Throws as ``T5Configuration/init(path:)`` does.
    public func picturePlan(textTokens: Int) throws -> PicturePlan {
        try PicturePlan(
            configuration, textEncoder: drawsTexts ? T5Configuration(path: "\(textEncoderPath)/config.json") : nil,
            textTokens: textTokens)
    }

    /// What the weights files hold; tensors are not read.
    public func inventories() throws -> [TensorInventory] {
        [try TensorInventory(of: openTransformer()), try TensorInventory(of: openImageTokenizer())]
            + (drawsTexts
                ? [try TensorInventory(of: SafetensorsFile(path: "\(textEncoderPath)/model.safetensors"))] : [])
    }

    /// The tokens of the longest of some texts, end token included, 0 for classes; weights are not opened.
    public func mostTextTokens(_ prompts: [CorpusPrompt]) throws -> Int {
        guard case .infinity(let numbers) = configuration.architecture else { return 0 }
        let tokenizer = try TextTokenizer(path: textTokenizerPath, maximumTokens: numbers.maximumTextTokens)
        return try prompts.map { prompt in
            guard case .text(let text) = prompt.subject else { return 0 }
            return try tokenizer.encode(text).count
        }.max() ?? 0
    }

    private var drawsTexts: Bool { configuration.classes == nil }

    /// Throws one ``VernierError/Code/mismatch`` with all differences unless a profile fits this model at its schedule.
    /// The weights are read, for their digest, only if the profile names some.
    public func requireFit(of profile: Profile, name: String) throws {
        let identity = profile.model.weightsDigest == nil ? try configuration.architectureIdentity() : try identity()
        try profile.requireFit(model: identity, schedule: configuration.schedule, name: name)
    }
}
