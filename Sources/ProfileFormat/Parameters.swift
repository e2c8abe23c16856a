import VernierCore

/// Named scalars that go with a policy or a selection rule; sorted by name, so equal contents are equal values.
public struct Parameters: Sendable, Hashable, ExpressibleByDictionaryLiteral {
    /// Names and values, in the order of the names.
    public private(set) var members: [JSONObject.Member]

    /// Makes parameters from a literal; a name given twice keeps its last value.
    ///
    /// - Precondition: values are scalars.
    public init(dictionaryLiteral elements: (String, JSONValue)...) {
        var object = JSONObject()
        for (name, value) in elements {
            precondition(value.isScalar, "parameters are scalars")
            object[name] = value
        }
        self.init(object)
    }

    /// Makes parameters from an object of scalars.
    init(_ object: JSONObject) {
        members = object.members.sorted { $0.key.utf8.lexicographicallyPrecedes($1.key.utf8) }
    }

    /// The value called `name`; nil if there is none. Setting nil removes it.
    ///
    /// - Precondition: values are scalars.
    public subscript(name: String) -> JSONValue? {
        get { members.first { $0.key == name }?.value }
        set {
            precondition(newValue?.isScalar ?? true, "parameters are scalars")
            var object = JSONObject()
            for member in members { object[member.key] = member.value }
            object[name] = newValue
            self = Parameters(object)
        }
    }

    /// The value called `name` as a whole number; nil if there is none or it is something else.
    public func integer(_ name: String) -> Int? {
        guard case .integer(let value)? = self[name] else { return nil }
        return Int(exactly: value)
    }

    /// The value called `name` as a number; nil if there is none or it is something else.
    public func number(_ name: String) -> Double? {
        switch self[name] {
        case .integer(let value)?: Double(value)
        case .number(let value)?: value
        default: nil
        }
    }

    /// The value called `name` as true or false; nil if there is none or it is something else.
    public func bool(_ name: String) -> Bool? {
        guard case .bool(let value)? = self[name] else { return nil }
        return value
    }

    /// The value called `name` as text; nil if there is none or it is something else.
    public func text(_ name: String) -> String? {
        guard case .string(let value)? = self[name] else { return nil }
        return value
    }

    /// Reads `name=value` pairs as users write them: true, false and numbers as such, anything else as text.
    ///
    /// Throws ``VernierError/Code/invalidArgument`` for a pair without `=` or name, or with a name given before.
    public static func parse(_ pairs: [String]) throws -> Parameters {
        var object = JSONObject()
        for pair in pairs {
            guard let equals = pair.firstIndex(of: "="), equals > pair.startIndex else {
                throw VernierError(
                    .invalidArgument, at: "parameter \(JSONValue.quoted(pair))", expected: "name=value", found: "no '='"
                )
            }
            let name = String(pair[..<equals])
            let text = String(pair[pair.index(after: equals)...])
            guard object[name] == nil else {
                throw VernierError(
                    .invalidArgument, at: "parameter \(JSONValue.quoted(name))", expected: "one value", found: "two")
            }
            let value = try? JSONValue.parse(text, name: name)
            object[name] = value.flatMap { $0.isScalar && $0 != .null ? $0 : nil } ?? .string(text)
        }
        return Parameters(object)
    }

    /// `name value, name value`, for people.
    public var summary: String {
        members.map { member in
            guard case .string(let text) = member.value else { return "\(member.key) \(member.value.summary)" }
            return "\(member.key) \(JSONValue.quoted(text))"
        }.joined(separator: ", ")
    }

    var jsonValue: JSONValue {
        var object = JSONObject()
        for member in members { object[member.key] = member.value }
        return .object(object)
    }

    init(reading cursor: JSONCursor) throws {
        let members = try cursor.members()
        guard members.count <= FormatLimits.parameters else {
            throw cursor.error(expected: "at most \(FormatLimits.parameters) parameters")
        }
        for (_, member) in members where !member.value.isScalar {
            throw member.error(expected: "a scalar")
        }
        self.init(try cursor.object())
    }
}
