import Checkpoints
import TensorKernels
import TestSupport
import Testing
import VernierCore

@testable import TextEncoding

@Suite("T5 encoder")
struct T5EncoderTests {
    private let golden: SafetensorsFile
    private let configuration: T5Configuration

    init() throws {
        golden = try Golden.open("t5-a")
        configuration = try Self.read(Self.configurationText)
    }

    private static let configurationText = """
        {"d_model":64,"d_ff":96,"d_kv":12,"num_heads":4,"num_layers":3,"vocab_size":180,"layer_norm_epsilon":1e-6,\
        "relative_attention_num_buckets":32,"relative_attention_max_distance":128,"feed_forward_proj":"gated-gelu",\
        "model_type":"t5","architectures":["T5ForConditionalGeneration"],"dropout_rate":0.1}
        """

    private static func read(_ text: String) throws -> T5Configuration {
        try T5Configuration(reading: JSONCursor(try JSONValue.parse(text, name: "config.json"), place: "config.json"))
    }

    private func encoder(maximumTokens: Int = 512) throws -> T5Encoder {
        try T5Encoder(golden.tensors(under: "t5."), configuration: configuration, maximumTokens: maximumTokens)
    }

    /// The real ids of sequence `index`, without padding.
    private func ids(_ index: Int) throws -> [Int32] {
        let count = Int(try golden.int32("in.lens", shape: [2])[index])
        return Array(try golden.int32("in.ids", shape: [2, 160])[index * 160..<index * 160 + count])
    }

    @Test("The configuration agrees with the golden file's")
    func goldenConfiguration() throws {
        let config = try golden.config
        for (key, value) in [
            ("d_model", configuration.width), ("d_ff", configuration.mlpWidth), ("d_kv", configuration.headWidth),
            ("num_heads", configuration.heads), ("num_layers", configuration.layers),
            ("vocab_size", configuration.idCount), ("relative_attention_num_buckets", RelativeBuckets.count),
            ("relative_attention_max_distance", RelativeBuckets.maximumDistance),
        ] {
            #expect(try config.member(key).integer() == value, "\(key)")
        }
        #expect(try Float(config.member("layer_norm_epsilon").number()) == configuration.epsilon)
    }

    @Test("The bucket of every distance")
    func buckets() throws {
        let deltas = try golden.int32("bucket.delta", shape: [1023])
        let expected = try golden.int32("bucket.index", shape: [1023])
        expectSame(deltas.map { Int32(RelativeBuckets.bucket(Int($0))) }, expected, what: "buckets")
        #expect(RelativeBuckets.bucket(100_000) == 31 && RelativeBuckets.bucket(-100_000) == 15)
        #expect(RelativeBuckets.bucket(.max) == 31 && RelativeBuckets.bucket(.min) == 15)
    }

    @Test("Features and the stream before the final norm", arguments: [0, 1])
    func features(_ index: Int) throws {
        let encoder = try encoder()
        let ids = try ids(index)
        let features = try encoder.encode(ids: ids)
        #expect(features.rows == ids.count && features.width == 64)
        try expectClose(features.values, golden.view("out.features.\(index)"), tolerance: 2e-4, what: "features")
        let hidden = try encoder.hiddenAfterBlocks(ids: ids).hidden.array
        try expectClose(hidden, golden.view("out.last_block.\(index)"), tolerance: 5e-4, what: "last block")
    }

    @Test("The result does not depend on the number of threads, nor on the call")
    func deterministic() throws {
        let encoder = try encoder()
        let ids = try ids(0)
        let first = try encoder.encode(ids: ids)
        let threadCount = Parallel.threadCount
        defer { Parallel.setThreadCount(threadCount) }
        for count in [1, 2, 3] {
            Parallel.setThreadCount(count)
            #expect(try encoder.encode(ids: ids) == first)
        }
    }

    @Test("The end token alone is a text; the limits on ids and lengths are kept")
    func limits() throws {
        let encoder = try encoder(maximumTokens: 8)
        #expect(try encoder.encode(ids: [1]).values.count == 64)
        #expect(try encoder.encode(ids: [Int32](repeating: 179, count: 8)).rows == 8)
        func message(_ ids: [Int32]) throws -> String {
            let error = try #require(throws: VernierError.self) { _ = try encoder.encode(ids: ids) }
            #expect(error.code == .invalidArgument)
            return error.description
        }
        #expect(try message([]).contains("expected 1 to 8 ids, found 0"))
        #expect(try message([Int32](repeating: 1, count: 9)).contains("expected 1 to 8 ids, found 9"))
        let outside = try message([3, 180, -1, 4, .max, .min, 1])
        for part in ["found 180 at index 1", "found -1 at index 2", "found \(Int32.max) at index 4", "index 5"] {
            #expect(outside.contains(part))
        }
        for bad in [0, -1, 70000] {
            #expect(throws: VernierError.self) { _ = try self.encoder(maximumTokens: bad) }
        }
    }

    @Test("The embedding table may have either name; both give the same features")
    func embeddingAlias() throws {
        let tensors = try golden.tensors(under: "t5.").all().map {
            $0.name == "shared.weight" ? $0.renamed("encoder.embed_tokens.weight") : $0
        }
        let renamed = try T5Encoder(InMemoryTensors(tensors), configuration: configuration)
        #expect(try renamed.encode(ids: ids(1)) == encoder().encode(ids: ids(1)))
    }

    @Test("All missing and misshapen tensors stand in one error")
    func wrongTensors() throws {
        let tensors = try golden.tensors(under: "t5.").all().compactMap { tensor -> TensorView? in
            switch tensor.name {
            case "shared.weight", "encoder.block.2.layer.0.SelfAttention.q.weight": nil
            case "encoder.final_layer_norm.weight": TensorView(name: tensor.name, shape: [2], float32: [1, 1])
            default: tensor
            }
        }
        let error = try #require(throws: VernierError.self) {
            _ = try T5Encoder(InMemoryTensors(tensors, named: "model.safetensors"), configuration: configuration)
        }
        #expect(error.code == .mismatch && error.place == "model.safetensors")
        #expect(
            error.problems == [
                "no tensor 'shared.weight' or 'encoder.embed_tokens.weight' of shape [180, 64]",
                "no tensor 'encoder.block.2.layer.0.SelfAttention.q.weight' of shape [48, 64]",
                "tensor 'encoder.final_layer_norm.weight': expected shape [64], found [2]",
            ])
    }

    @Test("A NaN in the weights is found when they are loaded, one in the table when its row is used")
    func nanWeights() throws {
        func damaged(_ name: String, at index: Int) throws -> InMemoryTensors {
            InMemoryTensors(
                try golden.tensors(under: "t5.").all().map { tensor in
                    guard tensor.name == name else { return tensor }
                    var values = try tensor.float32()
                    values[index] = .nan
                    return TensorView(name: name, shape: tensor.shape, float32: values)
                })
        }
        let norm = try damaged("encoder.block.1.layer.1.layer_norm.weight", at: 5)
        let loading = try #require(throws: VernierError.self) {
            _ = try T5Encoder(norm, configuration: configuration)
        }
        #expect(loading.code == .nonFinite && loading.description.contains("layer.1.layer_norm.weight"))
        let table = try T5Encoder(damaged("shared.weight", at: 7 * 64 + 3), configuration: configuration)
        #expect(try table.encode(ids: [6, 8, 1]).rows == 3)
        let using = try #require(throws: VernierError.self) { _ = try table.encode(ids: [6, 7, 1]) }
        #expect(using.code == .nonFinite && using.description.contains("tensor 'shared.weight[7]'"))
        #expect(using.description.contains("nan at index 3"))
    }

    @Test("A folder is opened by its files; what is wrong in config.json is named")
    func folder() throws {
        let folder = TemporaryDirectory()
        var writer = SafetensorsWriter()
        for tensor in try golden.tensors(under: "t5.").all() { try writer.add(tensor) }
        try writer.write(to: folder.file("model.safetensors"))
        try AtomicFile.write(Self.configurationText, to: folder.file("config.json"))
        let opened = try T5Encoder(directory: folder.path)
        #expect(try opened.encode(ids: ids(1)) == encoder().encode(ids: ids(1)))

        for (old, new, part) in [
            ("gated-gelu", "relu", "feed_forward_proj: expected the string \"gated-gelu\", found the string \"relu\""),
            ("\"num_heads\":4,", "", "a member \"num_heads\""), ("\"d_kv\":12", "\"d_kv\":0", "d_kv"),
            ("\"d_model\":64", "\"d_model\":-64", "d_model"),
            (":32", ":16", "relative_attention_num_buckets: expected 32"),
            (":128", ":64", "relative_attention_max_distance: expected 128"), ("1e-6", "null", "layer_norm_epsilon"),
        ] {
            let range = try #require(Self.configurationText.firstRange(of: old))
            let text = Self.configurationText
            let changed = text[..<range.lowerBound] + new + text[range.upperBound...]
            let error = try #require(throws: VernierError.self) { _ = try Self.read(String(changed)) }
            #expect(error.code == .malformedFile && error.description.contains(part), "\(error)")
        }
    }
}

extension TensorSource {
    /// All tensors under the source's names.
    fileprivate func all() throws -> [TensorView] { try tensorNames.map { try view($0).renamed($0) } }
}
