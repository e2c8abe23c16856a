import ProfileFormat
import VernierCore

extension ModelConfiguration {
    /// The same model at another of Infinity's official schedules; its ``shapeDigest`` stays.
    ///
    /// Throws ``VernierError/Code/invalidArgument`` if something is chosen for a model whose schedule is its own.
    public func choosing(_ choice: ScheduleChoice) throws -> ModelConfiguration {
        var chosen = self
        chosen.schedule = try choice.schedule(from: schedule)
        return chosen
    }
}
