import VernierCore

extension Profile {
    /// The profile as JSON, byte for byte the same for equal profiles; see ``VernierCore/JSONValue/canonicalText()``.
    public func canonicalText() throws -> String { try jsonValue.canonicalText() }

    /// Writes ``canonicalText()`` to a file, whole or not at all.
    ///
    /// Throws ``VernierError/Code/fileAccess``, and ``VernierError/Code/invalidArgument`` if the text is longer than the
    /// 256 MiB that are read; the file is then left as it was.
    public func write(to path: String) throws { try write(to: path, largestBytes: Self.largestFileBytes) }

    /// ``write(to:)`` with another limit, for tests.
    func write(to path: String, largestBytes: Int) throws {
        let text = try canonicalText()
        guard text.utf8.count <= largestBytes else {
            throw VernierError(
                .invalidArgument, at: fileName(of: path),
                expected: "a profile of at most \(largestBytes) bytes, the most that are read",
                found: "\(text.utf8.count) bytes",
                remedy: "Compile it for a smaller budget, or without --refine.")
        }
        try AtomicFile.write(text, to: path)
    }

    var jsonValue: JSONValue {
        let members: JSONValue = [
            "budget": ["realised": realisedBudget.jsonValue, "requested": requestedBudget.jsonValue],
            "capacities": capacityRows,
            "format": .string(Self.format),
            "model": model.jsonValue,
            "policy": policy.jsonValue,
            "provenance": provenance.jsonValue,
            "requires": .array(requires.map { .string($0) }),
            "residentFormula": .string(residentFormula),
            "roles": .array(roles.map { .string(String($0.map(\.letter))) }),
            "schedule": schedule.jsonValue,
            "selection": selection.jsonValue,
            "storage": storage.jsonValue,
            "version": .integer(Int64(Self.version)),
        ]
        guard case .object(var object) = members else { return members }
        object["plan"] = plan?.jsonValue
        object["evidence"] = evidence?.jsonValue
        return .object(object)
    }

    /// Capacities as [branch][scale][layer][head]; a layer whose heads are all equal is one number.
    private var capacityRows: JSONValue {
        .array(
            (0..<capacities.branchCount).map { branch in
                .array(
                    (0..<capacities.scaleCount).map { scale in
                        .array(
                            (0..<capacities.layerCount).map { layer in
                                let heads = (0..<capacities.headCount).map { capacities[branch, scale, layer, $0] }
                                return heads.allSatisfy { $0 == heads[0] }
                                    ? .integer(Int64(heads[0])) : .array(heads.map { .integer(Int64($0)) })
                            })
                    })
            })
    }
}
