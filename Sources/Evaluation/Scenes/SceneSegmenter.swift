import Generation

/// Parts a picture into its background and patches of the vocabulary's colours.
///
/// Everything is judged by *tint*, a colour with its brightness halved, because shading changes brightness and leaves
/// hue alone (yet blurred edges show best in brightness, so it is not dropped); and by the tint's *difference* from the
/// background's, because a pixel on an object's edge is a mix of both and so lies on the line between them: direction
/// tells the colour, length the coverage.
struct SceneSegmenter {
    /// From this coverage on a pixel belongs to a patch.
    static let coverageThreshold = 0.45
    /// Patches below this share of the smallest object's area are specks.
    static let speckShare = 0.3

    /// How much of a colour's brightness its tint lacks.
    static let brightnessRemoved = 0.5

    let vocabulary: SceneVocabulary

    /// The background's index and the patches, largest first.
    func segments(_ picture: Picture) -> (background: Int, segments: [SceneSegment]) {
        let (width, height) = (picture.width, picture.height)
        let border = borderColour(picture)
        let background = nearestBackground(border)
        let axes = vocabulary.colours.map { Self.tint($0.rgb) - Self.tint(border) }
        let lengths = axes.map { Self.dot($0, $0).squareRoot() }

        // Which colour each pixel is a mix of, and how much of it.
        var labels = [Int](repeating: -1, count: width * height)
        var coverage = [Double](repeating: 0, count: width * height)
        let borderTint = Self.tint(border)
        for pixel in labels.indices {
            let rgb = SIMD3(
                Double(picture.pixels[3 * pixel]), Double(picture.pixels[3 * pixel + 1]),
                Double(picture.pixels[3 * pixel + 2]))
            let difference = Self.tint(rgb) - borderTint
            var bestProjection = 0.0  // the longest projection has the smallest angle
            for colour in axes.indices where lengths[colour] > 0 {
                let projection = Self.dot(difference, axes[colour]) / lengths[colour]
                if projection > bestProjection {
                    bestProjection = projection
                    labels[pixel] = colour
                    coverage[pixel] = projection / lengths[colour]
                }
            }
        }
        let solid = labels.indices.map { coverage[$0] >= Self.coverageThreshold ? labels[$0] : -1 }
        let patches = join(components(smoothed(solid, width, height), width, height), width, height)

        let smallestRadius = vocabulary.sizes.map(\.radiusShares.lowerBound).min() ?? 0
        let smallestArea = vocabulary.shapes.map(\.area).min() ?? 0
        let speckArea = Self.speckShare * smallestArea * smallestRadius * smallestRadius * Double(width * width)
        let segments = patches.filter { Double($0.pixels.count) >= max(speckArea, 4) }
            .map { segment($0, labels, coverage, width, height) }
            .sorted { $0.area > $1.area }
        return (background, segments)
    }

    // MARK: Background

    /// The channel-wise median of the picture's frame, a thirty-second of the width (at least one pixel) wide.
    private func borderColour(_ picture: Picture) -> SIMD3<Double> {
        let (width, height) = (picture.width, picture.height)
        let frame = max(1, width / 32)
        func median(_ channel: Int) -> Double {
            var values: [UInt8] = []
            for row in 0..<height {
                for column in 0..<width
                where row < frame || column < frame || row >= height - frame || column >= width - frame {
                    values.append(picture.pixels[3 * (row * width + column) + channel])
                }
            }
            values.sort()
            return Double(values[values.count / 2])
        }
        return SIMD3(median(0), median(1), median(2))
    }

    private func nearestBackground(_ rgb: SIMD3<Double>) -> Int {
        var best = (index: 0, distance: Double.infinity)
        for (index, colour) in vocabulary.backgrounds.enumerated() {
            let distance = Self.dot(rgb - colour.rgb, rgb - colour.rgb)
            if distance < best.distance { best = (index, distance) }
        }
        return best.index
    }

    // MARK: Patches

    private struct Patch {
        /// The object's colour.
        let colour: Int
        /// The colours of all its pixels.
        var labels: Set<Int>
        var pixels: [Int]
    }

    /// Gives every patch pixel the most frequent patch label of its 3 x 3 surroundings (its own wins ties): thin seams
    /// of a third colour between two others vanish.
    private func smoothed(_ labels: [Int], _ width: Int, _ height: Int) -> [Int] {
        labels.indices.map { pixel in
            let own = labels[pixel]
            guard own >= 0 else { return -1 }
            var votes = [Int](repeating: 0, count: vocabulary.colours.count)
            forNeighbours(of: pixel, width, height) { if labels[$0] >= 0 { votes[labels[$0]] += 1 } }
            votes[own] += 1
            let most = votes.max() ?? 0
            return votes[own] == most ? own : votes.firstIndex(of: most) ?? own
        }
    }

    /// The connected (by side or corner) runs of one label, in the order of their first pixel.
    private func components(_ labels: [Int], _ width: Int, _ height: Int) -> [Patch] {
        var isSeen = labels.map { $0 < 0 }
        var patches: [Patch] = []
        for start in labels.indices where !isSeen[start] {
            isSeen[start] = true
            var pixels = [start]
            var next = 0
            while next < pixels.count {
                forNeighbours(of: pixels[next], width, height) { neighbour in
                    guard !isSeen[neighbour], labels[neighbour] == labels[start] else { return }
                    isSeen[neighbour] = true
                    pixels.append(neighbour)
                }
                next += 1
            }
            patches.append(Patch(colour: labels[start], labels: [labels[start]], pixels: pixels))
        }
        return patches
    }

    /// Joins patches that are one object: of one colour and nearer than the largest radius (a ring or a star that fell
    /// into pieces), or of different colours with at least half of the smaller one's outline along the larger one (an
    /// object whose hue wavers). The larger patch gives the colour.
    private func join(_ patches: [Patch], _ width: Int, _ height: Int) -> [Patch] {
        let reach = (vocabulary.sizes.map(\.radiusShares.upperBound).max() ?? 0) * Double(width)
        var owner = [Int](repeating: -1, count: width * height)
        var joined: [Patch] = []
        for patch in patches.sorted(by: { $0.pixels.count > $1.pixels.count }) {
            let place = centre(patch.pixels, width)
            let piece = joined.firstIndex { larger in
                guard larger.colour == patch.colour else { return false }
                let other = centre(larger.pixels, width)
                let (dx, dy) = (place.x - other.x, place.y - other.y)
                return dx * dx + dy * dy < reach * reach
            }
            let home = piece ?? surrounding(patch, owner, joined.count, width, height)
            for pixel in patch.pixels { owner[pixel] = home ?? joined.count }
            if let home {
                joined[home].pixels += patch.pixels
                joined[home].labels.insert(patch.colour)
            } else {
                joined.append(patch)
            }
        }
        return joined
    }

    /// The patch along which at least half of a smaller patch's outline runs.
    private func surrounding(
        _ patch: Patch, _ owner: [Int], _ owners: Int, _ width: Int, _ height: Int
    ) -> Int? {
        let own = Set(patch.pixels)
        var contacts = [Int](repeating: 0, count: owners)
        var outline = 0
        for pixel in patch.pixels {
            var isOutline = false
            var touched: Set<Int> = []
            forNeighbours(of: pixel, width, height) { neighbour in
                if !own.contains(neighbour) { isOutline = true }
                if owner[neighbour] >= 0 { touched.insert(owner[neighbour]) }
            }
            if isOutline { outline += 1 }
            for index in touched { contacts[index] += 1 }
        }
        return contacts.indices.first { 2 * contacts[$0] >= outline }
    }

    /// The patch with soft edges: the coverage of its pixels and their neighbours of its colours, as a share of the
    /// patch's own median so that shading and shine do not count as gaps.
    private func segment(
        _ patch: Patch, _ labels: [Int], _ coverage: [Double], _ width: Int, _ height: Int
    ) -> SceneSegment {
        let columns = patch.pixels.map { $0 % width }
        let rows = patch.pixels.map { $0 / width }
        let left = max(0, (columns.min() ?? 0) - 1)
        let right = min(width - 1, (columns.max() ?? 0) + 1)
        let top = max(0, (rows.min() ?? 0) - 1)
        let bottom = min(height - 1, (rows.max() ?? 0) + 1)
        let values = patch.pixels.map { coverage[$0] }.sorted()
        let full = max(values[values.count / 2], Self.coverageThreshold)
        let boxWidth = right - left + 1
        var box = [Double](repeating: 0, count: boxWidth * (bottom - top + 1))
        func put(_ pixel: Int) {
            guard patch.labels.contains(labels[pixel]) else { return }
            box[(pixel / width - top) * boxWidth + pixel % width - left] = min(coverage[pixel] / full, 1)
        }
        for pixel in patch.pixels {
            put(pixel)
            forNeighbours(of: pixel, width, height, put)
        }
        return SceneSegment(
            colour: patch.colour, left: left, top: top, width: boxWidth, height: bottom - top + 1, coverage: box)
    }

    private func centre(_ pixels: [Int], _ width: Int) -> (x: Double, y: Double) {
        let x = pixels.reduce(0) { $0 + $1 % width }
        let y = pixels.reduce(0) { $0 + $1 / width }
        return (Double(x) / Double(pixels.count), Double(y) / Double(pixels.count))
    }

    private func forNeighbours(of pixel: Int, _ width: Int, _ height: Int, _ body: (Int) -> Void) {
        let (row, column) = (pixel / width, pixel % width)
        for y in max(row - 1, 0)...min(row + 1, height - 1) {
            for x in max(column - 1, 0)...min(column + 1, width - 1) where x != column || y != row {
                body(y * width + x)
            }
        }
    }

    private static func tint(_ rgb: SIMD3<Double>) -> SIMD3<Double> { rgb - brightnessRemoved * rgb.sum() / 3 }

    private static func dot(_ a: SIMD3<Double>, _ b: SIMD3<Double>) -> Double { (a * b).sum() }
}
