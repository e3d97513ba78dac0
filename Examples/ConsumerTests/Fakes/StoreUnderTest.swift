import Bookshop
import CacheKit
public import CacheKitTesting
import Foundation
import ScaleTesting

/// The store that both test targets put through the conformance suite.
///
/// It is the shop's own, unless `BOOKSHOP_STORE` says `careless`: then it is the broken one, and both targets must report a failure.
/// `ReportedFailures` runs them so.
public enum StoreUnderTest {
    public static let variable = "BOOKSHOP_STORE"
    public static let careless = "careless"

    public static func conformance() -> CacheStoreConformance {
        let time = ManualTime()
        let isCareless = ProcessInfo.processInfo.environment[Self.variable] == Self.careless
        let store: any CacheStore = isCareless ? CarelessStore(time: time.source) : ShelfStore(time: time.source)
        return CacheStoreConformance {
            store
        } passTime: {
            await time.advance(by: $0)
        }
    }
}
