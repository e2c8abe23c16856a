import TensorKernels

/// A channels-last map `[height * width, channels]`.
struct FeatureMap {
    var height: Int
    var width: Int
    var channels: Int
    var buffer: FloatBuffer

    init(height: Int, width: Int, channels: Int) {
        self.height = height
        self.width = width
        self.channels = channels
        buffer = FloatBuffer(count: height * width * channels)
    }

    var pixels: Int { height * width }
    var pointer: UnsafeMutablePointer<Float> { buffer.pointer }
}
