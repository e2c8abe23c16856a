import Evaluation
import ProfileFormat

extension FrontierReport {
    /// PSNR against resident bytes, one colour a method, one dash pattern a storage format. Points equal to the full
    /// cache, whose PSNR is a convention, are left out.
    var chart: LineChart {
        let series = request.methods.flatMap { method in
            request.storages.map { storage in
                let own = points.filter { $0.method == method.name && $0.storage == storage }
                return LineChart.Series(
                    group: method.name, style: storage.name,
                    points: own.compactMap { point in
                        guard let value = point.psnrDecibels, value.high < PeakSignalNoise.capDecibels - 10,
                            point.residentBytes > 0
                        else { return nil }
                        return LineChart.Point(bytes: Double(point.residentBytes), value: value)
                    })
            }
        }
        return LineChart(
            title: "\(model.name): fidelity to the full cache (\(baseline.predictedResidentBytes) bytes), "
                + "\(EstimateText.counted(request.prompts.count, "prompt")), 95 % intervals",
            xTitle: "resident bytes of one picture", yTitle: "PSNR, dB", series: series)
    }
}
