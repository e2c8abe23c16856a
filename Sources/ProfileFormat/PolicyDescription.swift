import VernierCore

/// Which policy allocated the capacities, and with which parameters: a record, not an instruction.
///
/// The runtime needs the capacities only, so it accepts any name here.
public struct PolicyDescription: Sendable, Hashable {
    /// The policy's name, for example `scalekv`.
    public let name: String
    /// The parameters it ran with, defaults included.
    public let parameters: Parameters

    /// Makes a description.
    public init(name: String, parameters: Parameters = [:]) {
        self.name = name
        self.parameters = parameters
    }

    var jsonValue: JSONValue { ["name": .string(name), "parameters": parameters.jsonValue] }

    init(reading cursor: JSONCursor) throws {
        try cursor.requireOnly(keys: ["name", "parameters"])
        let name = try cursor.member("name")
        let text = try name.string()
        guard !text.isEmpty, text.utf8.count <= FormatLimits.nameBytes else {
            throw name.error(expected: "a name of 1 to \(FormatLimits.nameBytes) bytes")
        }
        self.init(name: text, parameters: try Parameters(reading: cursor.member("parameters")))
    }
}
