import VernierCore

extension PickleInterpreter {
    /// An empty dictionary.
    mutating func makeDictionary() -> PickleValue {
        objects.dictionaries.append([])
        return .dictionary(objects.dictionaries.count - 1)
    }

    /// What `global` gives for the arguments at `range` of the tuples' elements.
    mutating func call(_ global: PickleGlobal, _ range: Range<Int>) throws -> PickleValue {
        switch global {
        case .orderedDictionary:
            guard range.isEmpty else {
                throw failure(expected: "OrderedDict without arguments", found: "\(range.count)")
            }
            return makeDictionary()
        case .rebuildTensor: return try makeTensor(range)
        case .rebuildParameter:
            guard range.count == 3, case .tensor = objects.tupleElements[range.lowerBound] else {
                throw failure(expected: "a tensor, requires_grad and hooks for a parameter", found: kinds(range))
            }
            return objects.tupleElements[range.lowerBound]
        case .rebuildFromType:
            // The fourth argument holds Python attributes of the tensor: plain values, of no use here.
            guard range.count == 4, case .global(let function) = objects.tupleElements[range.lowerBound],
                function == .rebuildTensor || function == .rebuildParameter,
                case .global(.tensorClass) = objects.tupleElements[range.lowerBound + 1],
                case .tuple(let offset, let count) = objects.tupleElements[range.lowerBound + 2]
            else {
                throw failure(
                    expected: "a rebuilding function, torch.Tensor, arguments and a state", found: kinds(range))
            }
            return try call(function, Int(offset)..<Int(offset) + Int(count))
        default:
            throw failure(expected: "a function to call", found: "a class")
        }
    }

    /// The storage that a persistent identifier names: `("storage", class, key, location, element count)`.
    mutating func storage(_ identifier: PickleValue) throws -> PickleValue {
        guard case .tuple(let offset, let count) = identifier, count == 5 else {
            throw failure(expected: "the five parts of a storage's identifier", found: identifier.kind)
        }
        let range = Int(offset)..<Int(offset) + 5
        let parts = objects.tupleElements[range]
        guard case .text(_, 7) = parts[range.lowerBound],  // long ones are not read again and again
            PickleDocument.text(parts[range.lowerBound], in: bytes) == "storage",
            case .global(let global) = parts[range.lowerBound + 1], let elementType = global.elementType,
            case .text(_, let keyByteCount) = parts[range.lowerBound + 2], keyByteCount <= 200,
            let key = PickleDocument.text(parts[range.lowerBound + 2], in: bytes),
            case .integer(let wideCount) = parts[range.lowerBound + 4], let elementCount = Int(exactly: wideCount),
            elementCount >= 0
        else {
            throw failure(
                expected: "(\"storage\", storage class, key of at most 200 bytes, location, element count)",
                found: kinds(range))
        }
        guard
            let index = objects.index(of: TorchStorage(key: key, elementType: elementType, elementCount: elementCount))
        else {
            throw failure(
                expected: "one type and size for storage \(JSONValue.quoted(key))",
                found: "\(elementCount) elements of \(elementType) after something else")
        }
        return .storage(index)
    }

    /// The tensor of `(storage, offset, size, stride, requires_grad, hooks)`. Whether it lies inside its storage is
    /// checked when it gets a name.
    private mutating func makeTensor(_ range: Range<Int>) throws -> PickleValue {
        let first = range.lowerBound
        guard range.count == 6, case .storage(let storage) = objects.tupleElements[first],
            case .integer(let wideOffset) = objects.tupleElements[first + 1],
            let elementOffset = Int(exactly: wideOffset), elementOffset >= 0,
            case .tuple(let sizes, let rank) = objects.tupleElements[first + 2],
            case .tuple(let strides, let strideCount) = objects.tupleElements[first + 3],
            case .bool = objects.tupleElements[first + 4]
        else {
            throw failure(
                expected: "a storage, an offset, sizes, strides, requires_grad and hooks for a tensor",
                found: kinds(range))
        }
        guard rank == strideCount, rank <= Self.maximumRank else {
            throw failure(
                expected: "as many strides as sizes, at most \(Self.maximumRank)", found: "\(strideCount) and \(rank)")
        }
        let tensor = PickleObjects.Tensor(
            storage: storage, elementOffset: elementOffset, sizes: Int(sizes)..<Int(sizes) + Int(rank),
            strides: Int(strides)..<Int(strides) + Int(rank))
        for element in [tensor.sizes, tensor.strides].joined() {
            guard case .integer(let number) = objects.tupleElements[element], number >= 0 else {
                throw failure(
                    expected: "sizes and strides from 0 on", found: objects.tupleElements[element].kind)
            }
        }
        objects.tensors.append(tensor)
        return .tensor(objects.tensors.count - 1)
    }

    /// The kinds of the first arguments, for messages.
    private func kinds(_ range: Range<Int>) -> String {
        let shown = objects.tupleElements[range].prefix(6).map(\.kind).joined(separator: ", ")
        return range.isEmpty ? "nothing" : range.count > 6 ? "\(shown) and \(range.count - 6) more" : shown
    }
}
