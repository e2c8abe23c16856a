import ProfileFormat
import Testing

@Suite struct VARScheduleTests {
    /// Totals as `models.md` sections 2.1 and 5.2 have them: T, and the sum of n_s T_s that attention costs.
    @Test(arguments: [(VARSchedule.small, 680, 286_434), (.large, 2240, 3_269_850)])
    func totals(_ official: VARSchedule, tokens: Int, products: Int) {
        let schedule = official.schedule
        #expect(schedule.scaleCount == 10 && schedule.totalTokens == tokens)
        let sum = (0..<10).reduce(0) { $0 + schedule.tokenCount($1) * schedule.historyTokens($1 + 1) }
        #expect(sum == products)
        #expect(VARSchedule(totalTokens: tokens) == official)
        #expect(official.pixels == 16 * (schedule.grids.last?.height ?? 0))
        #expect(InfinitySchedule(of: schedule) == nil)
    }

    @Test func otherTotalsHaveNone() { #expect(VARSchedule(totalTokens: 681) == nil) }
}
