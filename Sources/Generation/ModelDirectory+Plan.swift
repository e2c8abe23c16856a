import Checkpoints
import ProfileFormat
import TextEncoding

extension ModelDirectory {
    /// What one picture costs; weights are not opened.
    ///
    /// Throws as ``T5Configuration/init(path:)`` does.
    public func picturePlan(textTokens: Int) throws -> PicturePlan {
        try PicturePlan(
            configuration, textEncoder: T5Configuration(path: "\(textEncoderPath)/config.json"),
            textTokens: textTokens)
    }

    /// What the weights files hold; tensors are not read.
    public func inventories() throws -> [TensorInventory] {
        [
            try TensorInventory(of: openTransformer()), try TensorInventory(of: openImageTokenizer()),
            try TensorInventory(of: SafetensorsFile(path: "\(textEncoderPath)/model.safetensors")),
        ]
    }

    /// The tokens of the longest of some prompts, end token included; weights are not opened.
    public func mostTextTokens(_ prompts: [String]) throws -> Int {
        let tokenizer = try TextTokenizer(path: textTokenizerPath, maximumTokens: configuration.maximumTextTokens)
        return try prompts.map { try tokenizer.encode($0).count }.max() ?? 0
    }

    /// Throws one ``VernierError/Code/mismatch`` with all differences unless a profile fits this model at its schedule.
    /// The weights are read, for their digest, only if the profile names some.
    public func requireFit(of profile: Profile, name: String) throws {
        let identity = profile.model.weightsDigest == nil ? try configuration.architectureIdentity() : try identity()
        try profile.requireFit(model: identity, schedule: configuration.schedule, name: name)
    }
}
