import Frontier
import ProfileFormat
import Testing
import VernierCore

@Suite struct FrontierMethodsTests {
    /// Every rule that the format knows is some method's, so that a new rule is not forgotten.
    @Test func everyRuleIsCompared() {
        let used = Set(FrontierMethods.all(layers: 8, scales: 9).flatMap(\.variants).map(\.selection))
        #expect(Set(SelectionRule.knownNames).subtracting(used).isEmpty)
    }

    @Test func namesAndVariantsAreToldApart() {
        let methods = FrontierMethods.all(layers: 8, scales: 9)
        #expect(Set(methods.map(\.name)).count == methods.count)
        for method in methods {
            #expect(Set(method.variants.map(\.label)).count == method.variants.count, "\(method.name)")
            #expect(method.variants.count == 1 || method.variants.allSatisfy { !$0.label.isEmpty }, "\(method.name)")
            #expect(method.summary.hasSuffix(".") && !method.name.contains(" "), "\(method.name)")
        }
    }
}
