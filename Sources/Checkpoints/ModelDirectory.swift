import ProfileFormat
import VernierCore

#if canImport(Glibc)
import Glibc
#elseif canImport(Darwin)
import Darwin
#endif

/// A folder with everything that one model needs; see <doc:ModelDirectory> for its layout.
public struct ModelDirectory: Sendable {
    /// The folder's path as given.
    public let path: String
    /// What `config.json` says, at the schedule that was chosen.
    public let configuration: ModelConfiguration

    /// Reads `config.json` and checks that every file of its family is there; weights are not opened.
    ///
    /// `schedule` chooses one of Infinity's official schedules instead of the one in `config.json`. Throws
    /// ``VernierError/Code/fileAccess`` naming all missing files, and as ``ModelConfiguration/init(path:)`` and
    /// ``ModelConfiguration/choosing(_:)`` do.
    public init(path: String, schedule: ScheduleChoice = .standard) throws {
        self.path = path
        let configurationPath = "\(path)/\(Self.configurationFile)"
        let configuration =
            Self.isFile(configurationPath) ? try ModelConfiguration(path: configurationPath) : nil
        var files = [Self.configurationFile, Self.transformerFile, Self.imageTokenizerFile]
        // Without a configuration the family is not known; text files are named then too.
        if case .var? = configuration?.architecture {} else { files += Self.textFiles }
        let missing = files.filter { !Self.isFile("\(path)/\($0)") }
        guard missing.isEmpty, let configuration else {
            throw VernierError(
                .fileAccess, at: fileName(of: path), expected: "the files \(files.joined(separator: ", "))",
                found: "no \(missing.joined(separator: ", no "))",
                remedy: "Give the folder of a converted model; it is '\(path)' now.")
        }
        self.configuration = try configuration.choosing(schedule)
    }

    /// The file with the transformer's weights.
    public var transformerPath: String { "\(path)/\(Self.transformerFile)" }
    /// The file with the image tokeniser's weights.
    public var imageTokenizerPath: String { "\(path)/\(Self.imageTokenizerFile)" }
    /// The folder of the text encoder; class-conditional models have none.
    public var textEncoderPath: String { "\(path)/text_encoder" }
    /// The SentencePiece model of the text encoder.
    public var textTokenizerPath: String { "\(path)/\(Self.textTokenizerFile)" }

    /// Opens the transformer's weights.
    public func openTransformer() throws -> SafetensorsFile { try SafetensorsFile(path: transformerPath) }
    /// Opens the image tokeniser's weights.
    public func openImageTokenizer() throws -> SafetensorsFile { try SafetensorsFile(path: imageTokenizerPath) }

    /// What a profile must have in common with this model; reads all of the transformer's weights once, unless their
    /// digest is remembered (see ``WeightsDigestCache``).
    ///
    /// `branches` is 2 with classifier-free guidance, else 1.
    public func identity(branches: Int = 2) throws -> ModelIdentity {
        try ModelIdentity(
            family: configuration.family, name: configuration.name, branches: branches,
            layers: configuration.architecture.depth, heads: configuration.architecture.heads,
            headWidth: configuration.architecture.headWidth, shapeDigest: configuration.shapeDigest,
            weightsDigest: weightsDigest(of: openTransformer(), cache: .standard))
    }

    /// The files of a model directory, by their paths in it.
    public static let configurationFile = "config.json"
    public static let transformerFile = "transformer.safetensors"
    public static let imageTokenizerFile = "tokenizer.safetensors"
    public static let textConfigurationFile = "text_encoder/config.json"
    public static let textEncoderFile = "text_encoder/model.safetensors"
    public static let textTokenizerFile = "text_encoder/spiece.model"
    private static let textFiles = [textConfigurationFile, textEncoderFile, textTokenizerFile]

    private static func isFile(_ path: String) -> Bool {
        var status = stat()
        return stat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFREG
    }
}
