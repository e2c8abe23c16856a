import VernierCore

/// Named scalars that go with a policy or a selection rule; sorted by name, so equal contents are equal values.
public struct Parameters: Sendable, Hashable, ExpressibleByDictionaryLiteral {
    /// Names and values, in the order of the names.
    public let members: [JSONObject.Member]

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

    /// The value called `name`; nil if there is none.
    public subscript(name: String) -> JSONValue? { members.first { $0.key == name }?.value }

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

    /// `name value, name value`, for people.
    public var summary: String {
        members.map { "\($0.key) \($0.value.summary)" }.joined(separator: ", ")
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
