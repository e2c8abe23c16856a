import ArgumentParser
import Checkpoints
import Generation
import Presentation
import ProfileFormat
import VernierCore

extension Show {
    /// Prints what a model directory is, holds and costs, or what is known of a released model by its sizes alone. Weights
    /// are not read, unless a profile names some.
    func showModel() throws {
        let sheet = try like.map(released) ?? directory()
        print(try json ? sheet.json().canonicalText() : sheet.text())
    }

    private var profileName: String { profile.map(fileName) ?? "profile" }

    private func directory() throws -> ModelSheet {
        let directory = try ModelDirectory(path: file ?? "", schedule: schedule.choice())
        let shown = try profile.map { try Profile(contentsOf: $0) }
        if let shown { try directory.requireFit(of: shown, name: profileName) }
        return ModelSheet(
            directory.configuration, plan: try directory.picturePlan(textTokens: textTokens),
            files: try directory.inventories(), profile: noted(shown), profileName: profileName)
    }

    private func released(_ name: String) throws -> ModelSheet {
        let configuration = try ModelRelease(named: name).configuration.choosing(schedule.choice())
        let shown = try profile.map { try Profile(contentsOf: $0) }
        if let shown {
            try shown.requireFit(
                model: configuration.architectureIdentity(), schedule: configuration.schedule, name: profileName)
        }
        return ModelSheet(
            configuration, plan: try PicturePlan(configuration, textTokens: textTokens), files: [],
            profile: noted(shown),
            profileName: profileName)
    }

    /// The same profile, once what was not compared of it has been said.
    private func noted(_ profile: Profile?) -> Profile? {
        profile?.fitCaveat(name: profileName).map(printNote)
        return profile
    }
}
