import VernierCore

extension Profile {
    /// SHA-256 over the profile without its evidence: what evidence speaks of. Equal to ``digest()`` without evidence.
    public func contentDigest() throws -> String { try withEvidence(nil).digest() }

    /// The profile with evidence, which replaces any that it has.
    ///
    /// Throws ``VernierError/Code/mismatch`` for evidence of another profile.
    public func attaching(_ evidence: Evidence) throws -> Profile {
        let attached = withEvidence(evidence)
        let problems = attached.evidenceProblems
        guard problems.isEmpty else {
            throw VernierError(
                .mismatch, at: "evidence", problems: problems, remedy: "Measure the profile that it is attached to.")
        }
        return attached
    }

    /// Evidence is this profile's own.
    var evidenceProblems: [String] {
        guard let evidence else { return [] }
        let own = (try? contentDigest()) ?? ""
        return evidence.profileDigest == own
            ? []
            : [
                "expected evidence of this profile (\(own.prefix(12))...), "
                    + "found some of \(evidence.profileDigest.prefix(12))..."
            ]
    }

    func withEvidence(_ evidence: Evidence?) -> Profile {
        var copy = self
        copy.evidence = evidence
        return copy
    }
}
