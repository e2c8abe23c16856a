import ProfileFormat
import VernierCore

/// The order file of HeatKV's released code (arXiv 2605.14877, arm-research/heatkv: `orders/*.json`): for each source scale
/// that may be dropped, all heads of all layers, the least attended first.
///
/// `[[[head, layer], ...], ...]`, or an object with that as its member `orders`, as `tools/compute_scas.py` writes it. The
/// last source scale is the one before the last scale; those before the first are sinks.
struct HeatKVOrders: Sendable, Hashable {
    /// The format's name in commands and profiles.
    static let format = "heatkv-order"

    /// For each source scale from ``sinkScales``, all heads as `layer * heads + head`.
    let orders: [[Int]]
    /// The first scales, which are never dropped.
    let sinkScales: Int

    /// Reads a file's text for a model of these sizes.
    ///
    /// Throws ``VernierError/Code/malformedFile`` unless every order has each head of each layer exactly once.
    init(reading root: JSONCursor, layers: Int, heads: Int, schedule: ScaleSchedule) throws {
        var list = root
        if case .object = root.value {
            try root.requireOnly(keys: ["metadata", "orders"])
            list = try root.member("orders")
        }
        let rows = try list.elements(), sources = schedule.scaleCount - 1
        guard rows.count >= 1, rows.count <= sources else {
            throw list.error(expected: "the orders of 1 to \(sources) source scales", found: "\(rows.count)")
        }
        orders = try rows.map { try Self.order($0, layers: layers, heads: heads) }
        sinkScales = sources - rows.count
    }

    private static func order(_ cursor: JSONCursor, layers: Int, heads: Int) throws -> [Int] {
        let count = layers * heads
        guard case .array(let pairs) = cursor.value, pairs.count == count else {
            throw cursor.error(expected: "an array of \(count) [head, layer] pairs, \(layers) layers of \(heads) heads")
        }
        var isSeen = [Bool](repeating: false, count: count)
        return try cursor.elements().map { pair in
            let numbers = try pair.elements(count: 2)
            let head = try numbers[0].integer(in: 0...(heads - 1))
            let slot = try numbers[1].integer(in: 0...(layers - 1)) * heads + head
            guard !isSeen[slot] else { throw pair.error(expected: "every head once", found: "one a second time") }
            isSeen[slot] = true
            return slot
        }
    }
}
