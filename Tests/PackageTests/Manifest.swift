import Foundation

/// The targets and products of a `Package.swift`, read from its text.
///
/// Understands string, array and call expressions in the arguments of `let package = Package(...)` and nothing else:
/// whatever it cannot read is an error, so that a guard built on it cannot pass by accident.
struct Manifest {
    struct Target {
        let name: String
        /// `target`, `systemLibrary`, `executableTarget` or `testTarget`.
        let kind: String
        /// Targets of this package, conditional ones included.
        let dependencies: [String]
        /// Products of other packages.
        let products: [String]
        /// The folder of the sources, relative to the package.
        let folder: String
    }

    struct Product {
        let name: String
        let targets: [String]
    }

    struct Unreadable: Error, CustomStringConvertible {
        let description: String
    }

    /// In the order of the file.
    let targets: [Target]
    let products: [Product]

    init(_ text: String) throws {
        guard let start = text.range(of: "let package = Package(") else {
            throw Unreadable(description: "no 'let package = Package('")
        }
        var parser = ManifestParser(text[text.index(before: start.upperBound)...])
        let arguments = try parser.arguments()
        targets = try Self.elements("targets", of: arguments).map(Self.target)
        products = try Self.elements("products", of: arguments).map(Self.product)
        let names = Set(targets.map(\.name))
        guard names.count == targets.count else { throw Unreadable(description: "two targets of one name") }
        for (owner, wanted) in targets.map({ ($0.name, $0.dependencies) }) + products.map({ ($0.name, $0.targets) }) {
            guard names.isSuperset(of: wanted) else {
                throw Unreadable(
                    description: "\(owner) names unknown targets \(Set(wanted).subtracting(names).sorted())")
            }
        }
    }

    /// The target of that name.
    func target(_ name: String) throws -> Target {
        guard let found = targets.first(where: { $0.name == name }) else {
            throw Unreadable(description: "no target '\(name)'")
        }
        return found
    }

    /// The named targets and everything they depend on in this package.
    func closure(of names: [String]) throws -> Set<String> {
        var reached: Set<String> = []
        var open = names
        while let name = open.popLast() {
            if reached.insert(name).inserted { open += try target(name).dependencies }
        }
        return reached
    }

    private typealias Arguments = [(label: String?, value: ManifestParser.Expression)]

    private static func elements(_ label: String, of arguments: Arguments) throws -> [ManifestParser.Expression] {
        guard let value = arguments.first(where: { $0.label == label })?.value, case .array(let elements) = value,
            !elements.isEmpty
        else { throw Unreadable(description: "'\(label)' is no array with elements") }
        return elements
    }

    private static func call(_ expression: ManifestParser.Expression, _ kinds: [String]) throws -> (String, Arguments) {
        guard case .call(let kind, let arguments) = expression, kinds.contains(kind) else {
            throw Unreadable(description: "expected one of \(kinds), found \(expression)")
        }
        return (kind, arguments)
    }

    private static func string(_ label: String, of arguments: Arguments) throws -> String? {
        guard let value = arguments.first(where: { $0.label == label })?.value else { return nil }
        guard case .string(let text) = value else { throw Unreadable(description: "'\(label)' is no string: \(value)") }
        return text
    }

    private static func target(_ expression: ManifestParser.Expression) throws -> Target {
        let (kind, arguments) = try call(
            expression, ["target", "systemLibrary", "executableTarget", "testTarget"])
        guard let name = try string("name", of: arguments) else {
            throw Unreadable(description: "a target without a name")
        }
        var dependencies: [String] = []
        var products: [String] = []
        if let value = arguments.first(where: { $0.label == "dependencies" })?.value {
            guard case .array(let elements) = value else {
                throw Unreadable(description: "the dependencies of \(name) are no array")
            }
            for element in elements {
                if case .string(let text) = element {
                    dependencies.append(text)
                    continue
                }
                let (kind, arguments) = try call(element, ["target", "product"])
                guard let named = try string("name", of: arguments) else {
                    throw Unreadable(description: "a dependency of \(name) without a name")
                }
                if kind == "target" { dependencies.append(named) } else { products.append(named) }
            }
        }
        let folder = try string("path", of: arguments) ?? "\(kind == "testTarget" ? "Tests" : "Sources")/\(name)"
        return Target(name: name, kind: kind, dependencies: dependencies, products: products, folder: folder)
    }

    private static func product(_ expression: ManifestParser.Expression) throws -> Product {
        let (_, arguments) = try call(expression, ["library", "executable"])
        guard let name = try string("name", of: arguments) else {
            throw Unreadable(description: "a product without a name")
        }
        let targets = try elements("targets", of: arguments).map { element in
            guard case .string(let text) = element else {
                throw Unreadable(description: "product \(name): \(element) is no string")
            }
            return text
        }
        return Product(name: name, targets: targets)
    }
}
