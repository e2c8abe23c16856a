import TensorKernels
import VernierCore

/// Where the time of one run of a calibration went, in seconds on the clock.
public struct CalibrationTimes: Sendable, Hashable {
    /// Pictures drawn and measured by this run; those of a file that it took up are not among them.
    public internal(set) var pictures = 0
    /// What drawing them (texts, transformer and sampling: nothing is decoded), measuring their attention and counting it
    /// took, for probed pictures with what narrower storage does.
    public internal(set) var measuringSeconds = 0.0
    /// Those of the pictures whose layers were disturbed, and what drawing them once more a layer took.
    public internal(set) var probedPictures = 0
    public internal(set) var disturbingSeconds = 0.0
    /// What writing the file took.
    public internal(set) var savingSeconds = 0.0

    /// The times as a JSON object; `measuring_each` is per picture.
    public var jsonValue: JSONValue {
        [
            "arithmetic": .string(Arithmetic.current.rawValue), "threads": .integer(Int64(Parallel.threadCount)),
            "pictures": .integer(Int64(pictures)), "probed_pictures": .integer(Int64(probedPictures)),
            "seconds": [
                "measuring": .number(measuringSeconds),
                "measuring_each": pictures > 0 ? .number(measuringSeconds / Double(pictures)) : .null,
                "disturbing": .number(disturbingSeconds), "saving": .number(savingSeconds),
            ],
        ]
    }
}
