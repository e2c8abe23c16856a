import TestSupport
import Testing

@testable import Checkpoints

@Suite struct TensorInventoryTests {
    @Test func countsParametersByPartAndBytesByType() throws {
        func view(_ name: String, _ count: Int) -> TensorView {
            TensorView(name: name, shape: [count], float32: [Float](repeating: 1, count: count))
        }
        let half = TensorView(
            name: "blocks.3.attn.proj.weight", elementType: .f16, shape: [4], bytes: Array(repeating: 0, count: 8))
        let inventory = try TensorInventory(
            of: InMemoryTensors([
                view("block_chunks.0.module.1.sa.mat_qkv.weight", 12), view("block_chunks.1.module.0.sa.q_bias", 3),
                view("block_chunks.1.module.0.sa.zero_k_bias", 7), view("block_chunks.1.module.0.ada_gss", 6),
                view("encoder.block.0.layer.1.DenseReluDense.wo.weight", 5),
                view("decoder.up.3.block.0.conv1.weight", 9),
                view("text_proj_for_ca.0.weight", 2), view("cfg_uncond", 1), half,
                TensorView(name: "lvl_1L", shape: [2], int32: [0, 1]),
            ]))
        #expect(
            inventory.parts.map { "\($0.name) \($0.parameters)" } == [
                "DenseReluDense 5", "ada_gss 6", "attn 4", "cfg_uncond 1", "decoder 9", "sa 15", "text_proj_for_ca 2",
                "buffers 9",
            ])
        #expect(inventory.parameters == 42)
        #expect(
            inventory.kinds.map { "\($0.elementType) \($0.tensors) \($0.bytes)" } == [
                "F32 8 180", "F16 1 8", "I32 1 8",
            ])
        #expect(inventory.bytes == 196 && inventory.name == "memory")
    }

    @Test func takesStockOfATinyModel() throws {
        let model = try TinyModel()
        let directory = try ModelDirectory(path: model.path)
        let transformer = try TensorInventory(of: directory.openTransformer())
        #expect(transformer.name == "transformer.safetensors")
        // 2 layers of (3 C^2 + 2 C + C^2 + C + H), C = 32, H = 2.
        #expect(transformer.parts.first { $0.name == "sa" }?.parameters == 2 * (4 * 32 * 32 + 3 * 32 + 2))
        #expect(transformer.kinds.count == 1 && transformer.bytes == 4 * transformer.parameters)
    }
}
