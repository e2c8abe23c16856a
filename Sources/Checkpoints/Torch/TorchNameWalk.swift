import VernierCore

/// Gives every tensor of a pickle's nested dictionaries a name: the keys on the way to it, joined by dots.
///
/// Keys may be texts and whole numbers. Values that are neither tensors nor dictionaries are passed over, and so is what
/// has other keys. Dictionaries may be referred to from several places, so that a small pickle can describe very many
/// names: the walk has bounds on all that it does.
struct TorchNameWalk {
    /// The most dictionaries in one another; a dictionary that contains itself is refused by it.
    static let maximumDepth = 32
    /// The most tensors.
    static let maximumTensorCount = 100_000
    /// The most bytes that all names together may have.
    static let maximumNameByteCount = 16 << 20
    /// The most members of dictionaries that are looked at.
    static let maximumMemberCount = 4_000_000

    /// The tensors' names, each with an index into ``PickleObjects/tensors``, in the order of the pickle.
    private(set) var tensors: [(name: String, index: Int)] = []

    private let document: PickleDocument
    private let place: String
    private var names: Set<String> = []
    private var memberCount = 0
    private var nameByteCount = 0

    /// Walks `document`; `place` is the file's name for messages.
    init(_ document: PickleDocument, place: String) throws {
        self.document = document
        self.place = place
        guard case .dictionary(let root) = document.root else {
            throw ZipArchive.damaged(
                place, expected: "a dictionary of tensors", found: document.root.kind)
        }
        try visit(root, prefix: "", depth: 1)
    }

    private mutating func visit(_ dictionary: Int, prefix: String, depth: Int) throws {
        guard depth <= Self.maximumDepth else {
            throw tooLarge(
                "dictionaries nested at most \(Self.maximumDepth) deep",
                found: "deeper ones at \(JSONValue.quoted(prefix))")
        }
        for member in document.objects.dictionaries[dictionary] {
            memberCount += 1
            guard memberCount <= Self.maximumMemberCount else {
                throw tooLarge("at most \(Self.maximumMemberCount) members of dictionaries", found: "more")
            }
            switch member.value {
            case .tensor(let index):
                guard let name = try name(member.key, prefix) else { continue }
                tensors.append((name, index))
                guard tensors.count <= Self.maximumTensorCount else {
                    throw tooLarge("at most \(Self.maximumTensorCount) tensors", found: "more")
                }
            case .dictionary(let index):
                guard let name = try name(member.key, prefix) else { continue }
                try visit(index, prefix: name + ".", depth: depth + 1)
            default: continue
            }
        }
    }

    /// The name of the member `key`; `nil` for a key that is neither a text nor a whole number.
    private mutating func name(_ key: PickleValue, _ prefix: String) throws -> String? {
        let name: String
        switch key {
        case .integer(let number):
            name = "\(prefix)\(number)"
            try count(name.utf8.count)
        case .text(_, let byteCount):
            // Counted before it is read: a long key may be referred to from everywhere.
            try count(prefix.utf8.count + Int(byteCount))
            guard let text = document.text(key) else {
                throw ZipArchive.damaged(
                    place, expected: "names in UTF-8", found: "other bytes in a key under \(JSONValue.quoted(prefix))")
            }
            name = prefix + text
        default: return nil
        }
        guard names.insert(name).inserted else {
            throw ZipArchive.damaged(place, expected: "distinct names", found: "\(JSONValue.quoted(name)) twice")
        }
        return name
    }

    private mutating func count(_ byteCount: Int) throws {
        nameByteCount += byteCount
        guard nameByteCount <= Self.maximumNameByteCount else {
            throw tooLarge("at most \(Self.maximumNameByteCount) bytes of names", found: "more")
        }
    }

    private func tooLarge(_ expected: String, found: String) -> VernierError {
        VernierError(
            .malformedFile, at: place, expected: expected, found: found,
            remedy: "This is no file of weights: load it where you trust it, and save its state dict alone.")
    }
}
