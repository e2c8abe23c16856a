import VernierCore

/// One of Infinity's 60 official scale schedules: an aspect template cut to a resolution (`models.md` section 3.2).
///
/// One checkpoint runs all of them. Rotary positions are scaled to the template's last grid at every resolution.
public struct InfinitySchedule: Sendable, Hashable, CustomStringConvertible {
    /// The shape of the picture.
    public let aspect: InfinityAspect
    /// How many scales are drawn.
    public let resolution: InfinityResolution

    /// Every schedule: aspects in their order, resolutions from fewest pixels to most.
    public static let all = InfinityAspect.all.flatMap { aspect in
        InfinityResolution.all.map { InfinitySchedule(aspect: aspect, resolution: $0) }
    }

    /// Cuts a template to a resolution.
    public init(aspect: InfinityAspect = .square, resolution: InfinityResolution) {
        self.aspect = aspect
        self.resolution = resolution
    }

    /// The schedule that has exactly these token maps and this reference grid; nil if there is none.
    public init?(of schedule: ScaleSchedule) {
        guard let resolution = InfinityResolution.all.first(where: { $0.scaleCount == schedule.scaleCount }),
            let aspect = InfinityAspect.all.first(where: { $0.referenceGrid == schedule.ropeGrid }),
            schedule.grids.elementsEqual(aspect.grids.prefix(schedule.scaleCount))
        else { return nil }
        self.init(aspect: aspect, resolution: resolution)
    }

    /// The token maps and the reference grid.
    public var schedule: ScaleSchedule {
        ScaleSchedule(
            checked: Array(aspect.grids.prefix(resolution.scaleCount)), ropeGrid: aspect.referenceGrid)
    }

    /// Pixels of the picture (height, width): 16 a token and side in every released model.
    public var pictureSize: (height: Int, width: Int) {
        let last = aspect.grids[resolution.scaleCount - 1]
        return (16 * last.height, 16 * last.width)
    }

    /// For people, for example `4:3 at 0.25M`.
    public var description: String { "\(aspect) at \(resolution)" }
}
