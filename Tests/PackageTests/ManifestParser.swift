/// Reads the few kinds of Swift expressions that manifests are made of.
struct ManifestParser {
    indirect enum Expression {
        case string(String)
        case array([Expression])
        /// `.name(label: value, ...)` or `name(...)`; the dot is dropped.
        case call(String, [(label: String?, value: Expression)])
        /// A name or a literal, as it stands.
        case word(String)
    }

    private var rest: Substring

    /// Starts at the beginning of `text`.
    init(_ text: Substring) { rest = text }

    /// `(label: value, value, ...)`.
    mutating func arguments() throws -> [(label: String?, value: Expression)] {
        try list("(", ")") { parser in
            let before = parser.rest
            if case .word(let label) = try parser.expression(), parser.take(":") {
                return (label, try parser.expression())
            }
            parser.rest = before
            return (nil, try parser.expression())
        }
    }

    private mutating func expression() throws -> Expression {
        skipSpace()
        guard let first = rest.first else { throw failure("an expression") }
        if first == "\"" { return .string(try string()) }
        if first == "[" { return .array(try list("[", "]") { try $0.expression() }) }
        let word = rest.prefix { $0.isLetter || $0.isNumber || $0 == "_" || $0 == "." }
        guard !word.isEmpty else { throw failure("an expression") }
        rest = rest[word.endIndex...]
        let name = String(word.first == "." ? word.dropFirst() : word)
        skipSpace()
        return rest.first == "(" ? .call(name, try arguments()) : .word(name)
    }

    /// Elements between brackets, separated by commas; a comma may stand after the last one.
    private mutating func list<Element>(
        _ open: Character, _ close: Character, _ element: (inout ManifestParser) throws -> Element
    ) throws -> [Element] {
        guard take(open) else { throw failure("'\(open)'") }
        var elements: [Element] = []
        while !take(close) {
            elements.append(try element(&self))
            if !take(",") {
                guard take(close) else { throw failure("',' or '\(close)'") }
                break
            }
        }
        return elements
    }

    /// A literal without escapes and interpolation.
    private mutating func string() throws -> String {
        let content = rest.dropFirst().prefix { $0 != "\"" && $0 != "\\" && $0 != "\n" }
        guard content.endIndex < rest.endIndex, rest[content.endIndex] == "\"" else { throw failure("a plain string") }
        rest = rest[content.endIndex...].dropFirst()
        return String(content)
    }

    private mutating func take(_ character: Character) -> Bool {
        skipSpace()
        guard rest.first == character else { return false }
        rest = rest.dropFirst()
        return true
    }

    /// Passes white space and line comments.
    private mutating func skipSpace() {
        while true {
            rest = rest.drop { $0.isWhitespace }
            guard rest.hasPrefix("//") else { return }
            rest = rest.drop { $0 != "\n" }
        }
    }

    private func failure(_ expected: String) -> Manifest.Unreadable {
        Manifest.Unreadable(description: "expected \(expected) at '\(rest.prefix(40))'")
    }
}
