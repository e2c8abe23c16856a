import ProfileFormat
import VernierCore

/// What a model directory's `config.json` says; see <doc:ModelDirectory> for the fields.
public struct ModelConfiguration: Sendable, Hashable {
    /// The value of `format`.
    public static let format = "vernier-model"
    /// The one version of the file that this build reads.
    public static let version = 1
    /// The families that this build knows.
    public static let families = ["infinity", "var"]

    /// A name for people; 1 to 200 bytes.
    public let name: String
    /// The family and its numbers.
    public let architecture: ModelArchitecture
    /// The token maps, and for Infinity the reference grid of rotary positions; VAR has none, its last map stands there.
    public internal(set) var schedule: ScaleSchedule
    /// How the model is sampled unless the caller says otherwise.
    public let sampling: SamplingDefaults

    /// The family of architectures: `infinity` or `var`.
    public var family: String { architecture.family }

    /// SHA-256 over family, transformer and tokeniser numbers, in hexadecimal: what shapes the computation whatever
    /// the schedule, the sampling and the weights' values. The model's name does not enter. A model of Infinity's official
    /// schedules, which all run on the same weights, enters with the square template's reference grid whichever it has.
    public var shapeDigest: String {
        var digest = Digest()
        digest.update(field: "family \(family)")
        for (name, numbers) in architecture.digestFields(schedule: schedule) {
            digest.update(field: "\(name) \(numbers.map(String.init).joined(separator: ","))")
        }
        return digest.finalise()
    }

    /// Gathers the parts; ``checked()`` tells whether they fit together.
    public init(
        name: String, architecture: ModelArchitecture, schedule: ScaleSchedule, sampling: SamplingDefaults
    ) {
        self.name = name
        self.architecture = architecture
        self.schedule = schedule
        self.sampling = sampling
    }
}
