/// What a pickle makes, in flat arrays that its values index.
struct PickleObjects: Sendable {
    /// A key of a dictionary and its value.
    struct Member: Sendable {
        let key: PickleValue
        let value: PickleValue
    }

    /// A tensor as `_rebuild_tensor_v2` describes it; sizes and strides are tuples of whole numbers from 0 on.
    struct Tensor: Sendable {
        let storage: Int
        let elementOffset: Int
        let sizes: Range<Int>
        let strides: Range<Int>
    }

    /// The elements of all tuples.
    var tupleElements: [PickleValue] = []
    /// The members of each dictionary, in the order in which they were set.
    var dictionaries: [[Member]] = []
    /// The storages that persistent identifiers name, each once.
    private(set) var storages: [TorchStorage] = []
    /// The tensors.
    var tensors: [Tensor] = []

    private var storageIndices: [String: Int] = [:]

    /// The place of a storage in ``storages``, where it is put when its key is new; `nil` if the key already names a
    /// storage of another type or size.
    mutating func index(of storage: TorchStorage) -> Int? {
        if let known = storageIndices[storage.key] { return storages[known] == storage ? known : nil }
        storages.append(storage)
        storageIndices[storage.key] = storages.count - 1
        return storages.count - 1
    }

    /// The whole numbers among the elements at `range`, which holds nothing else for sizes and strides.
    func integers(_ range: Range<Int>) -> [Int] {
        tupleElements[range].compactMap { element in
            guard case .integer(let number) = element else { return nil }
            return Int(number)
        }
    }
}
