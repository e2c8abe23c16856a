import Checkpoints
import VernierCore

/// The golden data of the repository: outputs of the reference implementations on tiny models.
public enum Golden {
    /// The folder `Tests/Golden`.
    public static let folder = {
        let here = #filePath.split(separator: "/", omittingEmptySubsequences: false)
        return here.dropLast(2).joined(separator: "/") + "/Golden"
    }()

    /// The path of a golden file by its full name, for example `tok-a.spiece.model`.
    public static func path(_ fileName: String) -> String { "\(folder)/\(fileName)" }

    /// Opens a golden case, for example `inf-a.run`.
    public static func open(_ name: String) throws -> SafetensorsFile {
        try SafetensorsFile(path: path("\(name).safetensors"))
    }
}

extension SafetensorsFile {
    /// The case's `config` metadata: every number an implementer needs, as JSON.
    public var config: JSONCursor {
        get throws {
            JSONCursor(try JSONValue.parse(metadata["config"] ?? "", name: "\(sourceName), config"), place: sourceName)
        }
    }
}
