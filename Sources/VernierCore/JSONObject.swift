/// The members of a JSON object in their order, with lookup by key.
///
/// Keys are told apart byte by byte, not by Unicode equivalence. Two objects are equal if they hold equal members in
/// the same order.
public struct JSONObject: Sendable, Hashable {
    /// One key and its value.
    public struct Member: Sendable, Hashable {
        /// The key.
        public let key: String
        /// The value.
        public let value: JSONValue
    }

    /// A key that compares and hashes its UTF-8 bytes.
    private struct ExactKey: Sendable, Hashable {
        let text: String
        static func == (left: ExactKey, right: ExactKey) -> Bool { JSONObject.isSame(left.text, right.text) }
        func hash(into hasher: inout Hasher) {
            var text = text
            text.withUTF8 { hasher.combine(bytes: UnsafeRawBufferPointer($0)) }
        }
    }

    /// Objects of up to this many members are searched from front to back; larger ones have an index.
    private static let linearCount = 8

    /// The members in order; keys are distinct.
    public private(set) var members: [Member] = []
    private var positions: [ExactKey: Int] = [:]

    /// Makes an empty object.
    public init() {}

    /// The number of members.
    public var count: Int { members.count }

    /// The keys in order.
    public var keys: [String] { members.map(\.key) }

    /// The value of `key`. Setting appends a new member or replaces the value in place; setting nil removes.
    ///
    /// - Complexity: O(1); removal O(n).
    public subscript(key: String) -> JSONValue? {
        get { position(of: key).map { members[$0].value } }
        set {
            switch (position(of: key), newValue) {
            case (let position?, let value?): members[position] = Member(key: key, value: value)
            case (nil, let value?): append(Member(key: key, value: value))
            case (let position?, nil):
                members.remove(at: position)
                positions = [:]
                if members.count > Self.linearCount { index(from: 0) }
            case (nil, nil): break
            }
        }
    }

    /// Appends a member unless its key is there already; returns whether it did.
    mutating func insert(_ key: String, _ value: JSONValue) -> Bool {
        guard position(of: key) == nil else { return false }
        append(Member(key: key, value: value))
        return true
    }

    private mutating func append(_ member: Member) {
        members.append(member)
        if members.count > Self.linearCount { index(from: positions.isEmpty ? 0 : members.count - 1) }
    }

    private mutating func index(from start: Int) {
        for position in start..<members.count { positions[ExactKey(text: members[position].key)] = position }
    }

    private func position(of key: String) -> Int? {
        if members.count > Self.linearCount { return positions[ExactKey(text: key)] }
        return members.firstIndex { Self.isSame($0.key, key) }
    }

    private static func isSame(_ left: String, _ right: String) -> Bool {
        left.utf8.count == right.utf8.count && left.utf8.elementsEqual(right.utf8)
    }

    public static func == (left: JSONObject, right: JSONObject) -> Bool { left.members == right.members }
    public func hash(into hasher: inout Hasher) { hasher.combine(members) }
}
