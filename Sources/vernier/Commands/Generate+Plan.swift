import ArgumentParser
import Checkpoints
import Generation
import Presentation
import ProfileFormat
import VernierCore

extension Generate {
    /// Prints what drawing `prompts` would cost; weights are not read, unless a profile names some.
    func printPlan(_ prompts: [CorpusPrompt]) throws {
        let directory = try ModelDirectory(path: model, schedule: schedule.choice())
        try directory.configuration.requireKnown(prompts)
        let kept = try profile.map { try Profile(contentsOf: $0) }
        let name = profile.map(fileName) ?? "profile"
        if let kept {
            try directory.requireFit(of: kept, name: name)
            kept.fitCaveat(name: name).map(printNote)
        }
        let plan = try directory.picturePlan(textTokens: directory.mostTextTokens(prompts))
        let together = min(batch, prompts.count)
        let each = kept?.residentBytes ?? plan.fullCache.bytes(.float32)
        let (resident, overflows) = each.multipliedReportingOverflow(by: together)
        guard !overflows else {
            throw VernierError(
                .outOfMemory, at: "--batch", expected: "a cache that can be counted",
                found: "\(together) times \(each) bytes")
        }
        print(
            """
            would draw \(prompts.count) picture\(prompts.count == 1 ? "" : "s") of \(plan.height) x \(plan.width) pixels \
            (height x width), \(together) at a time, seed \(seed)
            \(ByteSheet(plan, profile: kept, profileName: name).text())
            resident   \(resident) bytes of cache for \(together) picture\(together == 1 ? "" : "s") at a time
            \(ModelSheet.work(plan))
            """)
    }
}
