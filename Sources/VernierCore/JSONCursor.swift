/// A JSON value together with its place in the file: typed reading whose errors say where they happened.
///
/// All reading functions throw ``VernierError/Code/malformedFile`` at a place such as
/// `config.json: transformer.depth` or `profile.json: grids[3][0]`.
public struct JSONCursor: Sendable {
    /// The way from the root, kept as steps so that text is made only for messages.
    private indirect enum Path: Sendable {
        case root
        case member(Path, String)
        case element(Path, Int)
    }

    /// The value itself.
    public let value: JSONValue
    private let file: String
    private let path: Path

    /// Starts at the root of a document. `place` is the file's name.
    public init(_ value: JSONValue, place: String) {
        self.init(value, file: place, path: .root)
    }

    private init(_ value: JSONValue, file: String, path: Path) {
        self.value = value
        self.file = file
        self.path = path
    }

    /// Where the value stands, for example `config.json: transformer.depth`.
    public var place: String {
        var steps: [String] = []
        var rest = path
        while true {
            switch rest {
            case .root:
                let text = steps.reversed().joined()
                return text.isEmpty ? file : "\(file): \(text.hasPrefix(".") ? String(text.dropFirst()) : text)"
            case .element(let parent, let index):
                steps.append("[\(index)]")
                rest = parent
            case .member(let parent, let key):
                steps.append(Self.isPlain(key) ? ".\(key)" : "[\(JSONValue.quoted(key))]")
                rest = parent
            }
        }
    }

    // MARK: Objects

    /// The member `key`; throws if this is no object or has no such member.
    public func member(_ key: String) throws -> JSONCursor {
        guard let value = try object()[key] else {
            throw error(expected: "a member \(JSONValue.quoted(key))", found: "none")
        }
        return JSONCursor(value, file: file, path: .member(path, key))
    }

    /// The member `key`, or nil if it is absent or null; throws if this is no object.
    public func optionalMember(_ key: String) throws -> JSONCursor? {
        guard let value = try object()[key], value != .null else { return nil }
        return JSONCursor(value, file: file, path: .member(path, key))
    }

    /// All members in the order of the file.
    public func members() throws -> [(key: String, value: JSONCursor)] {
        try object().members.map {
            ($0.key, JSONCursor($0.value, file: file, path: .member(path, $0.key)))
        }
    }

    /// The value as an object.
    public func object() throws -> JSONObject {
        guard case .object(let object) = value else { throw error(expected: "an object") }
        return object
    }

    /// Throws, naming all of them, if the object has members other than `keys`.
    public func requireOnly(keys: [String]) throws {
        let unknown = try object().keys.filter { !keys.contains($0) }
        guard !unknown.isEmpty else { return }
        let shown = unknown.prefix(10).map(JSONValue.quoted).joined(separator: ", ")
        let rest = unknown.count > 10 ? " and \(unknown.count - 10) more" : ""
        throw error(
            expected: "only the members \(keys.joined(separator: ", "))", found: "also \(shown)\(rest)")
    }

    // MARK: Arrays

    /// The elements of an array.
    public func elements() throws -> [JSONCursor] {
        guard case .array(let elements) = value else { throw error(expected: "an array") }
        return elements.enumerated().map { index, element in
            JSONCursor(element, file: file, path: .element(path, index))
        }
    }

    /// The elements of an array that must have exactly `count` of them.
    public func elements(count: Int) throws -> [JSONCursor] {
        guard case .array(let elements) = value, elements.count == count else {
            throw error(expected: "an array of \(count)")
        }
        return try self.elements()
    }

    /// An array of whole numbers, each in `range`.
    public func integers(in range: ClosedRange<Int> = Int.min...Int.max) throws -> [Int] {
        guard case .array(let elements) = value else { throw error(expected: "an array") }
        return try elements.indices.map { index in
            // A cursor only where there is something to complain of.
            if case .integer(let wide) = elements[index], let number = Int(exactly: wide), range.contains(number) {
                return number
            }
            return try JSONCursor(elements[index], file: file, path: .element(path, index)).integer(in: range)
        }
    }

    /// An array of numbers, each in `range`.
    public func numbers(in range: ClosedRange<Double> = JSONCursor.finiteNumbers) throws -> [Double] {
        try elements().map { try $0.number(in: range) }
    }

    /// An array of strings.
    public func strings() throws -> [String] { try elements().map { try $0.string() } }

    // MARK: Scalars

    /// A whole number in `range`. `4.0` is none: it has a fraction.
    public func integer(in range: ClosedRange<Int> = Int.min...Int.max) throws -> Int {
        guard case .integer(let wide) = value, let number = Int(exactly: wide), range.contains(number) else {
            let bounds =
                switch (range.lowerBound, range.upperBound) {
                case (Int.min, Int.max): ""
                case (let lower, Int.max): " of at least \(lower)"
                case (Int.min, let upper): " of at most \(upper)"
                case (let lower, let upper): " from \(lower) to \(upper)"
                }
            throw error(expected: "a whole number\(bounds)")
        }
        return number
    }

    /// All finite numbers.
    public static let finiteNumbers = -Double.greatestFiniteMagnitude...Double.greatestFiniteMagnitude

    /// A number in `range`, written as a whole number or not.
    public func number(in range: ClosedRange<Double> = JSONCursor.finiteNumbers) throws -> Double {
        let number: Double? =
            switch value {
            case .integer(let whole): Double(whole)
            case .number(let number): number
            default: nil
            }
        guard let number, range.contains(number) else {
            let isBounded = range != Self.finiteNumbers
            throw error(expected: isBounded ? "a number from \(range.lowerBound) to \(range.upperBound)" : "a number")
        }
        return number
    }

    /// A string.
    public func string() throws -> String {
        guard case .string(let text) = value else { throw error(expected: "a string") }
        return text
    }

    /// `true` or `false`.
    public func bool() throws -> Bool {
        guard case .bool(let flag) = value else { throw error(expected: "true or false") }
        return flag
    }

    // MARK: Errors

    /// An error at this place; `found` is the value in words unless given.
    public func error(expected: String, found: String? = nil, remedy: String = "") -> VernierError {
        VernierError(.malformedFile, at: place, expected: expected, found: found ?? value.summary, remedy: remedy)
    }

    private static func isPlain(_ key: String) -> Bool {
        !key.isEmpty && key.utf8.count <= 60
            && key.utf8.allSatisfy { byte in
                switch byte {
                case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                    UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"), UInt8(ascii: "-"):
                    true
                default: false
                }
            }
    }
}
