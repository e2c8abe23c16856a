import ArgumentParser
import CalibrationStatistics
import ProfileCompiler
import ProfileFormat
import StatisticsFile
import VernierCore

struct Overlap: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Say how far two profiles, or two calibrations, decide alike.",
        discussion: """
            Two statistics are compiled with the same request and their profiles compared; statistics beside a profile \
            are compiled with that profile's own request.
            Rule of thumb: a capacity overlap of 0.9 and more is the same profile for practical purposes.
            """)

    @Argument(help: "Profile (JSON) or statistics (HDF5).")
    var first: String
    @Argument(help: "Profile (JSON) or statistics (HDF5).")
    var second: String
    @Option(help: "For two statistics: the budget, for example 10%, 64 (tokens per cell) or 900KB.")
    var keep: String = "10%"
    @Option(help: "For two statistics: the allocation policy.")
    var policy: String = "scalekv"
    @Option(help: "For two statistics: the selection rule.")
    var selection: String = "attention-mass"
    @Option(name: .customLong("set"), help: "For two statistics: a parameter of the policy, name=value; repeatable.")
    var parameters: [String] = []
    @Flag(help: "Print JSON.")
    var json = false

    func run() throws {
        let sources = try [first, second].map(Source.init)
        let request = try sources.lazy.compactMap(\.profile).first.map(Self.request) ?? ownRequest()
        let profiles = try sources.map { source in
            switch source {
            case .profile(let profile): profile
            case .statistics(let statistics): try compile(statistics: statistics, request: request)
            }
        }
        let overlap = try ProfileOverlap(profiles[0], profiles[1])
        print(try json ? Self.json(overlap).canonicalText() : Self.text(overlap))
    }

    private enum Source {
        case profile(Profile)
        case statistics(CalibrationStatistics)

        init(path: String) throws {
            self =
                try looksLikeJSON(path) ? .profile(Profile(contentsOf: path)) : .statistics(StatisticsFile.read(path))
        }

        var profile: Profile? { if case .profile(let profile) = self { profile } else { nil } }
    }

    /// What a profile was compiled with.
    private static func request(_ profile: Profile) -> CompilationRequest {
        CompilationRequest(
            policy: profile.policy, budget: profile.requestedBudget, selection: profile.selection.unrefined,
            storage: profile.storage, toolVersion: VernierVersion.current)
    }

    private func ownRequest() throws -> CompilationRequest {
        CompilationRequest(
            policy: PolicyDescription(name: policy, parameters: try Parameters.parse(parameters)),
            budget: try BudgetRequest.parse(keep), selection: try SelectionRule(name: selection),
            toolVersion: VernierVersion.current)
    }

    private static func text(_ overlap: ProfileOverlap) -> String {
        var lines: [String] = []
        if let jaccard = overlap.drafterJaccard {
            lines.append("drafters    \(short(jaccard))  Jaccard index of the (layer, scale) pairs")
        }
        lines.append(
            "capacities  \(short(overlap.capacityOverlap))  sum of the smaller over sum of the larger, over cells of "
                + "scales that evict")
        if let groups = overlap.groupAgreement {
            lines.append(
                "groups      \(short(groups))  adjusted Rand index of positions that share a slot, mean over cells")
        }
        lines.append(
            "verdict     \(overlap.isSame ? "the same profile for practical purposes" : "different profiles") "
                + "(capacities of \(ProfileOverlap.sameAgreement) and more are the same)")
        return lines.joined(separator: "\n")
    }

    private static func json(_ overlap: ProfileOverlap) -> JSONValue {
        [
            "format": "vernier-overlap", "version": 1,
            "drafterJaccard": overlap.drafterJaccard.map { .number($0) } ?? .null,
            "capacityOverlap": .number(overlap.capacityOverlap),
            "groupAgreement": overlap.groupAgreement.map { .number($0) } ?? .null, "isSame": .bool(overlap.isSame),
        ]
    }

    /// Three decimals.
    private static func short(_ value: Double) -> String {
        let thousandths = Int((abs(value) * 1000).rounded())
        let digits = String(thousandths % 1000)
        return (value < 0 && thousandths > 0 ? "-" : "") + "\(thousandths / 1000)."
            + String(repeating: "0", count: 3 - digits.count) + digits
    }
}
