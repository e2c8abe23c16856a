/// One JSON value, as RFC 8259 has it, with whole numbers kept apart from fractions.
///
/// Ours rather than Foundation's because profiles need canonical bytes, duplicate keys refused and errors with a line
/// and a column, and because the runtime does without Foundation.
public enum JSONValue: Sendable, Hashable {
    /// `null`.
    case null
    /// `true` or `false`.
    case bool(Bool)
    /// A number written without fraction and exponent that fits 64 bits.
    case integer(Int64)
    /// Any other number. Parsed numbers are finite; others can be made but not written.
    case number(Double)
    /// A string.
    case string(String)
    /// An array.
    case array([JSONValue])
    /// An object; members keep the order of the file.
    case object(JSONObject)

    /// Whether the value is neither an array nor an object.
    public var isScalar: Bool {
        switch self {
        case .array, .object: false
        case .null, .bool, .integer, .number, .string: true
        }
    }

    /// The value in words, for error messages: its kind and, for scalars, the value itself (strings are shortened).
    public var summary: String {
        switch self {
        case .null: "null"
        case .bool(let value): "\(value)"
        case .integer(let value): "\(value)"
        case .number(let value): "\(value)"
        case .string(let value): "the string \(Self.quoted(value))"
        case .array(let elements): "an array of \(elements.count)"
        case .object(let object): "an object of \(object.count) members"
        }
    }

    /// `text` as a JSON string, cut after 60 characters: untrusted text that is fit for a message.
    public static func quoted(_ text: String) -> String {
        var bytes: [UInt8] = []
        let head = text.unicodeScalars.prefix(60)
        JSONWriter.append(String(String.UnicodeScalarView(head)), to: &bytes)
        let shortened = String(decoding: bytes, as: UTF8.self)
        return head.endIndex < text.endIndex ? shortened.dropLast() + "...\"" : shortened
    }
}

extension JSONValue: ExpressibleByStringLiteral, ExpressibleByIntegerLiteral, ExpressibleByFloatLiteral,
    ExpressibleByBooleanLiteral, ExpressibleByArrayLiteral, ExpressibleByDictionaryLiteral
{
    public init(stringLiteral value: String) { self = .string(value) }
    public init(integerLiteral value: Int64) { self = .integer(value) }
    public init(floatLiteral value: Double) { self = .number(value) }
    public init(booleanLiteral value: Bool) { self = .bool(value) }
    public init(arrayLiteral elements: JSONValue...) { self = .array(elements) }
    /// A key given twice keeps its first place and its last value.
    public init(dictionaryLiteral elements: (String, JSONValue)...) {
        var object = JSONObject()
        for (key, value) in elements { object[key] = value }
        self = .object(object)
    }
}
