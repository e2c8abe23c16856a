import Checkpoints
import VernierCore

/// Turns prompts into the features that condition a model: its tokeniser and its text encoder together.
public struct PromptEncoder: Sendable {
    /// Text to ids.
    public let tokenizer: TextTokenizer
    /// Ids to features.
    public let encoder: T5Encoder

    /// Loads what `directory` holds under `text_encoder` and checks that it fits the rest of the model.
    ///
    /// Throws as ``TextTokenizer`` and ``T5Encoder`` do, and ``VernierError/Code/mismatch`` if the encoder's width is
    /// not the transformer's text width or the model draws no texts.
    public init(_ directory: ModelDirectory) throws {
        guard case .infinity(let numbers) = directory.configuration.architecture else {
            throw VernierError(
                .mismatch, at: "config.json", expected: "a family that draws texts",
                found: JSONValue.quoted(directory.configuration.family))
        }
        let maximumTokens = numbers.maximumTextTokens
        let folder = directory.textEncoderPath
        let configuration = try T5Configuration(path: "\(folder)/config.json")
        let expected = numbers.transformer.textWidth
        guard configuration.width == expected else {
            throw VernierError(
                .mismatch, at: "text_encoder/config.json",
                expected: "d_model \(expected), the transformer's text_width",
                found: "\(configuration.width)", remedy: "Put the text encoder that the model was trained with there.")
        }
        tokenizer = try TextTokenizer(
            path: directory.textTokenizerPath, maximumTokens: maximumTokens, embeddingRows: configuration.idCount)
        encoder = try T5Encoder(
            SafetensorsFile(path: "\(folder)/model.safetensors"), configuration: configuration,
            maximumTokens: maximumTokens)
    }

    /// The features of `prompt`: a row for each of its tokens, end token included. The empty prompt has one row.
    ///
    /// Throws as ``T5Encoder/encode(ids:)`` does.
    public func encode(_ prompt: String) throws -> TextFeatures { try encoder.encode(ids: tokenizer.encode(prompt)) }
}
