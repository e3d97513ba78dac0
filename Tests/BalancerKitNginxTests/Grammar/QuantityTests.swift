import Testing

@testable import BalancerKitNginx

@Suite struct QuantityTests {
    @Test(
        arguments: [
            ("0", 0), ("10", 10), ("1k", 1024), ("2K", 2048), ("3m", 3 << 20), ("4M", 4 << 20), ("5g", nil), ("", nil), ("k", nil),
            ("1kk", nil),
            ("-1", nil), ("1.5m", nil), (" 1", nil), ("9223372036854775807", .max), ("9223372036854775808", nil),
            ("9223372036854775807k", nil),
        ] as [(String, Int?)])
    func `sizes`(text: String, bytes: Int?) {
        #expect(NginxQuantity.size(Array(text.utf8), allowsGiga: false) == bytes)
    }

    @Test(arguments: [("5g", 5 << 30), ("6G", 6 << 30), ("1t", nil)] as [(String, Int?)])
    func `offsets`(text: String, bytes: Int?) {
        #expect(NginxQuantity.size(Array(text.utf8), allowsGiga: true) == bytes)
    }

    @Test(
        arguments: [
            ("5", 5000, 5), ("5s", 5000, 5), ("5ms", 5, nil), ("1m", 60_000, 60), ("1h", 3_600_000, 3600), ("1d", 86_400_000, 86_400),
            ("1w", 604_800_000, 604_800), ("1M", nil, 2_592_000), ("1y", nil, 31_536_000), ("1h30m", 5_400_000, 5400),
            ("1h 30m", 5_400_000, 5400), ("1m 5", 65_000, 65), ("1y1M1w1d1h1m1s", nil, 34_822_861), ("30m1h", nil, nil), ("1s1s", nil, nil),
            ("", nil, nil), ("s", nil, nil), ("1x", nil, nil), ("-1", nil, nil), ("9223372036854775807", nil, .max),
            ("9223372036854775807y", nil, nil), ("99999999999999999999", nil, nil),
        ] as [(String, Int?, Int?)])
    func `times in milliseconds and in seconds`(text: String, milliseconds: Int?, seconds: Int?) {
        #expect(NginxQuantity.time(Array(text.utf8), in: .milliseconds) == milliseconds)
        #expect(NginxQuantity.time(Array(text.utf8), in: .seconds) == seconds)
    }

    @Test(arguments: [("on", true), ("OFF", false), ("On", true), ("yes", nil), ("", nil), ("1", nil)] as [(String, Bool?)])
    func `switches`(text: String, value: Bool?) {
        #expect(NginxQuantity.flag(Array(text.utf8)) == value)
    }
}
