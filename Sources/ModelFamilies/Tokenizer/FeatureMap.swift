import TensorKernels

/// A channels-last map `[height * width, channels]` in a block of an arena, which gets it back when no map holds it.
struct FeatureMap {
    let height: Int
    let width: Int
    let channels: Int
    let arena: MapArena
    private let block: Block

    private final class Block {
        let buffer: FloatBuffer
        private let arena: MapArena

        init(_ count: Int, of arena: MapArena) {
            buffer = arena.take(count)
            self.arena = arena
        }

        deinit { arena.giveBack(buffer) }
    }

    /// A map with undefined values.
    init(height: Int, width: Int, channels: Int, in arena: MapArena) {
        self.height = height
        self.width = width
        self.channels = channels
        self.arena = arena
        block = Block(height * width * channels, of: arena)
    }

    var pixels: Int { height * width }
    var pointer: UnsafeMutablePointer<Float> { block.buffer.pointer }
}
