import VernierCore

extension Profile {
    /// Why this profile cannot be used with a model that runs a schedule: all differences, as readable sentences in
    /// which the profile is what was expected and the model what was found; empty if it fits.
    public func mismatches(model: ModelIdentity, schedule: ScaleSchedule) -> [String] {
        model.differences(from: self.model) + schedule.differences(from: self.schedule)
    }

    /// What ``requireFit(model:schedule:name:)`` leaves unchecked, as a sentence for people; nil if it compares weights too.
    ///
    /// `name` is the profile's file name.
    public func fitCaveat(name: String = "profile") -> String? {
        guard model.weightsDigest == nil else { return nil }
        return "\(name) names no weights: only the architecture and the schedule were compared, not the weights"
    }

    /// Throws one ``VernierError/Code/mismatch`` with all differences unless the profile fits.
    ///
    /// `name` is the profile's file name, for the message.
    public func requireFit(model: ModelIdentity, schedule: ScaleSchedule, name: String = "profile") throws {
        let mismatches = mismatches(model: model, schedule: schedule)
        guard !mismatches.isEmpty else { return }
        throw VernierError(
            .mismatch, at: name,
            problems: [
                "the profile of \(JSONValue.quoted(self.model.name)) does not fit the model "
                    + "\(JSONValue.quoted(model.name))"
            ] + mismatches,
            remedy: model.differences(from: self.model).isEmpty ? scheduleRemedy : Self.remedy)
    }

    private static let remedy =
        "Compile a profile from statistics of this model and schedule, or load the model it was made for."

    /// What helps if only the schedule differs.
    private var scheduleRemedy: String {
        guard let official = InfinitySchedule(of: schedule) else { return Self.remedy }
        return "Run the model at the profile's schedule (--resolution \(official.resolution) --aspect "
            + "\(official.aspect)), or compile a profile from statistics of this schedule."
    }
}
