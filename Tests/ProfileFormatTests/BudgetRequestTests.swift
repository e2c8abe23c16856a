import Testing
import VernierCore

@testable import ProfileFormat

@Suite struct BudgetRequestTests {
    struct Accepted: Sendable, CustomTestStringConvertible {
        let text: String
        let budget: BudgetRequest
        var testDescription: String { text }
    }

    static let accepted: [Accepted] = [
        Accepted(text: "10%", budget: .keptShare(0.1)), Accepted(text: "2.5 %", budget: .keptShare(0.025)),
        Accepted(text: "100%", budget: .keptShare(1)), Accepted(text: "64", budget: .tokensPerCell(64)),
        Accepted(text: "0.5", budget: .tokensPerCell(0.5)), Accepted(text: "900KB", budget: .bytes(900_000)),
        Accepted(text: "900 KiB", budget: .bytes(921_600)), Accepted(text: "1.5mb", budget: .bytes(1_500_000)),
        Accepted(text: "2GiB", budget: .bytes(2_147_483_648)), Accepted(text: "1b", budget: .bytes(1)),
        Accepted(text: "1.9999B", budget: .bytes(1)), Accepted(text: "1TB", budget: .bytes(1_000_000_000_000)),
    ]

    @Test(arguments: accepted) func reads(_ example: Accepted) throws {
        #expect(try BudgetRequest.parse(example.text) == example.budget)
    }

    static let refused: [(String, String)] = [
        ("0%", "budget \"0%\": expected a share above 0 % and at most 100 %, found 0.0 %."),
        ("100.1%", "budget \"100.1%\": expected a share above 0 % and at most 100 %, found 100.1 %."),
        ("0", "budget \"0\": expected more than 0 and at most 1099511627776 tokens per cell, found 0.0."),
        ("", "budget \"\": expected a number with a unit, found nothing."),
        ("ten", "budget \"ten\": expected a number with a unit, found something else."),
        ("nan%", "budget \"nan%\": expected a number with a unit, found something else."),
        ("inf", "budget \"inf\": expected a number with a unit, found something else."),
        ("-5%", "budget \"-5%\": expected a number with a unit, found something else."),
        ("1e3", "budget \"1e3\": expected no unit, % or one of B, KB, KiB, MB, MiB, GB, GiB, TB, TiB, found \"e3\"."),
        ("1.2.3", "budget \"1.2.3\": expected a number with a unit, found something else."),
        (".5", "budget \".5\": expected a number with a unit, found something else."),
        (
            "64 tok",
            "budget \"64 tok\": expected no unit, % or one of B, KB, KiB, MB, MiB, GB, GiB, TB, TiB, found \" tok\"."
        ),
        ("0KB", "budget \"0KB\": expected from 1 byte to 8192 TiB, found 0.0 bytes."),
        ("99999TB", "budget \"99999TB\": expected from 1 byte to 8192 TiB, found 9.9999e+16 bytes."),
    ]

    @Test(arguments: refused) func refuses(_ text: String, _ message: String) throws {
        let error = try #require(throws: VernierError.self) { try BudgetRequest.parse(text) }
        #expect(error.code == .invalidArgument)
        #expect(
            error.description
                == message + " Write 10% for a share of the full cache, 64 for tokens per cell, or 900KB for bytes.")
    }

    @Test(arguments: [
        BudgetRequest.keptShare(.nan), .keptShare(-1), .keptShare(.infinity), .tokensPerCell(.nan), .tokensPerCell(0),
        .tokensPerCell(.infinity), .bytes(0), .bytes(.max),
    ]) func validationRefuses(_ budget: BudgetRequest) {
        #expect(throws: VernierError.self) { try budget.validate() }
    }

    @Test func describesItself() {
        #expect(BudgetRequest.keptShare(0.1).description == "10.0 % of the full cache")
        #expect(BudgetRequest.keptShare(0.07).description == "7.0 % of the full cache")
        #expect(BudgetRequest.tokensPerCell(64).description == "64.0 tokens per cell")
        #expect(BudgetRequest.bytes(900).description == "900 bytes")
    }
}
