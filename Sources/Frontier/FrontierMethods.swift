import ProfileFormat
import VernierCore

/// The methods that a frontier compares. A new one is a row here.
public enum FrontierMethods {
    /// All methods for a model of `layers` layers and `scales` scales; numbers of drafters are multiples of the layers,
    /// as many as there can be at most.
    public static func all(layers: Int, scales: Int) -> [FrontierMethod] {
        [
            FrontierMethod(
                "full-cache", "Everything is kept; shows what the storage format alone costs.",
                [.init(policy: "uniform", selection: "sliding-window")], fixedBudget: .keptShare(1)),
            FrontierMethod(
                "random", "A fixed random set: the floor.", [.init(policy: "uniform", selection: "random")]),
            FrontierMethod(
                "sliding-window", "The newest tokens.", [.init(policy: "uniform", selection: "sliding-window")]),
            FrontierMethod(
                "streaming-llm", "The first scales and the newest tokens (arXiv 2309.17453).",
                [1, 2, 3].map { scales in
                    .init(
                        "\(scales) sink scale\(scales == 1 ? "" : "s")", policy: "uniform", selection: "sink-recent",
                        ["sinkScales": .integer(Int64(scales))])
                }),
            FrontierMethod(
                "h2o", "The heaviest hitters so far and the newest tokens (arXiv 2306.14048).",
                [.init(policy: "uniform", selection: "h2o")]),
            FrontierMethod(
                "attention-mass", "What all queries of the last scale attended to.",
                [.init(policy: "uniform", selection: "attention-mass")]),
            FrontierMethod(
                "value-mass", "The same times the norm of the value.",
                [.init(policy: "uniform", selection: "attention-mass", ["valueNorm": true])]),
            FrontierMethod(
                "snapkv", "What an observation window attended to (arXiv 2404.14469), at the best window.",
                windows(policy: "uniform")),
            FrontierMethod(
                "pyramidkv", "The same, layers sharing linearly (arXiv 2406.02069).", windows(policy: "pyramid")),
            FrontierMethod(
                "ada-kv", "The same, heads sharing by what they attend to (Ada-KV, arXiv 2407.11550; HeadKV).",
                windows(policy: "head-adaptive")),
            FrontierMethod(
                "cake", "Layers share by entropy and variance (arXiv 2503.12491), at the best window.",
                [16, 4].map { window in
                    .init(
                        "last \(window) tokens", policy: "cake", selection: "cake",
                        ["window": .integer(Int64(window))])
                } + [.init("all queries' mass", policy: "cake", selection: "attention-mass")]),
            FrontierMethod(
                "hack", "Structural and contextual heads, each with a rule of its own (arXiv 2504.09261).",
                [.init(policy: "hack", selection: "hack")]),
            FrontierMethod(
                "scalekv-paper",
                "ScaleKV as printed (arXiv 2505.19602, Eq. 2-5), at the best drafters, form of the index and window.",
                scaleKVVariants(layers: layers, scales: scales)),
            FrontierMethod(
                "scalekv-released", "ScaleKV as its code is (StargazerX0/ScaleKV), at the best window.",
                [16, 4].map { window in
                    .init(
                        "window of \(window)", policy: "scalekv", selection: "scalekv-compat",
                        ["window": .integer(Int64(window))])
                }),
            FrontierMethod(
                "scalekv-mass", "ScaleKV's released budgets, scored by all queries.",
                [.init(policy: "scalekv", selection: "attention-mass")]),
            FrontierMethod(
                "heatkv", "Heads drop whole source scales (arXiv 2605.14877), at the best number of sink scales.",
                [1, 2, 3].map { scales in
                    .init(
                        "\(scales) sink scale\(scales == 1 ? "" : "s")", policy: "heatkv",
                        ["sinkScales": .integer(Int64(scales))], selection: "scale-blocks")
                }),
            FrontierMethod(
                "attention-matching", "The most attended keys with fitted biases and values (arXiv 2602.16284).",
                [.init(policy: "uniform", selection: "attention-matching")]),
            FrontierMethod(
                "oracle", "What the next scale of this very picture attends to: a ceiling of eviction, not a method.",
                [true, false].map { norm in
                    .init(
                        norm ? "times value norm" : "mass alone", policy: "uniform", selection: "oracle",
                        ["valueNorm": .bool(norm)])
                }),
            FrontierMethod(
                "spatial", "Blocks of neighbouring positions pooled, by geometry alone.",
                [.init(policy: "uniform", selection: "spatial")]),
            FrontierMethod(
                "position-plan", "A retained set fixed by calibration, every cell alike.",
                [.init(policy: "uniform", selection: "position-plan")]),
            FrontierMethod(
                "position-plan-summary", "The same with a slot for all that is evicted.",
                [.init(policy: "uniform", selection: "position-plan", ["summary": true])]),
            FrontierMethod(
                "pooling-plan-uniform", "Slots pooled by measured cost, every cell alike.",
                [.init(policy: "uniform", selection: "pooling-plan")]),
            FrontierMethod(
                "pooling-plan", "Slots pooled by measured cost, one budget over all cells.",
                [.init(policy: "rate-distortion", selection: "pooling-plan")]),
            FrontierMethod(
                "pooling-plan-refined", "The same with coefficients and biases fitted to the calibration prompts.",
                [.init(policy: "rate-distortion", selection: "pooling-plan", isRefined: true)]),
        ]
    }

    /// What ScaleKV's paper leaves open: drafters, form of the index, side of the window, and whether it is kept.
    private static func scaleKVVariants(layers: Int, scales: Int) -> [FrontierMethod.Variant] {
        var variants: [FrontierMethod.Variant] = []
        for (index, factor) in [("normalised", 1), ("normalised", 2), ("normalised", 3), ("raw", 2)]
        where factor < scales {
            let drafters = factor * layers
            for window in observationWindows {
                variants.append(
                    .init(
                        "\(drafters) drafters, \(index) index, \(window.label)", policy: "scalekv-linear",
                        ["drafters": .integer(Int64(drafters)), "index": .string(index)],
                        selection: "observation-window", window.parameters))
            }
        }
        return variants
    }

    /// Windows of centroids over the map: the published one, the same only to score by, and a smaller one.
    private static let observationWindows: [(label: String, parameters: Parameters)] = [
        ("window 4 x 4", ["side": 4]), ("window 4 x 4 only scored", ["keepsWindow": false, "side": 4]),
        ("window 2 x 2", ["side": 2]),
    ]

    /// SnapKV's own windows, the last tokens of a map, and ScaleKV's, a grid over the map.
    private static func windows(policy: String) -> [FrontierMethod.Variant] {
        var variants = [16, 4].map { window in
            FrontierMethod.Variant(
                "last \(window) tokens", policy: policy, selection: "snapkv", ["window": .integer(Int64(window))])
        }
        variants += observationWindows.map {
            .init($0.label, policy: policy, selection: "observation-window", $0.parameters)
        }
        return variants
    }

    /// The methods of the given names in the order of the table; all of them without names.
    ///
    /// Throws ``VernierError/Code/invalidArgument`` naming every unknown one.
    public static func named(_ names: [String], layers: Int, scales: Int) throws -> [FrontierMethod] {
        let all = all(layers: layers, scales: scales)
        let unknown = names.filter { name in !all.contains { $0.name == name } }
        guard unknown.isEmpty else {
            throw VernierError(
                .invalidArgument, at: "methods", expected: "some of \(all.map(\.name).joined(separator: ", "))",
                found: unknown.map(JSONValue.quoted).joined(separator: ", "))
        }
        return names.isEmpty ? all : all.filter { names.contains($0.name) }
    }
}
