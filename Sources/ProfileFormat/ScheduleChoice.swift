import VernierCore

/// Which of Infinity's official schedules a checkpoint shall run; what is left open is as the model directory has it.
public struct ScheduleChoice: Sendable, Hashable {
    /// The resolution; nil for the model directory's.
    public var resolution: InfinityResolution?
    /// The shape of the picture; nil for the model directory's.
    public var aspect: InfinityAspect?

    /// What the model directory says.
    public static let standard = ScheduleChoice()

    /// Chooses one part, both or none.
    public init(resolution: InfinityResolution? = nil, aspect: InfinityAspect? = nil) {
        self.resolution = resolution
        self.aspect = aspect
    }

    /// Chooses the schedule that a profile or statistics are of. One that is not official has no choice: such a model
    /// runs no other.
    public init(of schedule: ScaleSchedule) {
        let official = InfinitySchedule(of: schedule)
        self.init(resolution: official?.resolution, aspect: official?.aspect)
    }

    /// The schedule to run, from the one that the model directory has.
    ///
    /// Throws ``VernierError/Code/invalidArgument`` if something is chosen for a model whose own schedule is not official:
    /// it was not trained on the others.
    public func schedule(from standard: ScaleSchedule) throws -> ScaleSchedule {
        guard resolution != nil || aspect != nil else { return standard }
        guard let official = InfinitySchedule(of: standard) else {
            throw VernierError(
                .invalidArgument, at: "schedule",
                expected: "a model of Infinity's official schedules to choose \(description) for",
                found: "one with its own, \(standard)", remedy: "Leave the resolution and the aspect out.")
        }
        return InfinitySchedule(aspect: aspect ?? official.aspect, resolution: resolution ?? official.resolution)
            .schedule
    }

    private var description: String {
        [aspect.map { "the aspect \($0)" }, resolution.map { "the resolution \($0)" }].compactMap { $0 }
            .joined(separator: " and ")
    }
}
