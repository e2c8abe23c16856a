import ArgumentParser
import ProfileFormat
import VernierCore

/// Which of Infinity's official schedules the model shall run.
struct ScheduleOptions: ParsableArguments {
    @Option(
        help: """
            Resolution of an Infinity model: \(InfinityResolution.all.map(\.name).joined(separator: ", ")) \
            (default: the model directory's).
            """)
    var resolution: String?
    @Option(
        help: """
            Shape of an Infinity model's pictures, width:height: \
            \(InfinityAspect.all.map(\.description).joined(separator: ", ")) (default: the model directory's).
            """)
    var aspect: String?

    func validate() throws {
        do {
            _ = try choice()
        } catch let error as VernierError {
            throw ValidationError(error.description)
        }
    }

    /// What was chosen.
    func choice() throws -> ScheduleChoice {
        ScheduleChoice(
            resolution: try resolution.map(InfinityResolution.init(named:)),
            aspect: try aspect.map(InfinityAspect.init(named:)))
    }
}
