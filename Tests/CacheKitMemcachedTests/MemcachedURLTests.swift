import CacheKitMemcached
import ScaleCore
import Testing

@Suite struct MemcachedURLTests {
    @Test func `a URL names the servers of a pool`() throws {
        let url = try ServiceURL("memcached://cache-1:1,cache-2,[::1]:3", schemes: [.memcached])
        #expect(url.hosts.map(\.name) == ["cache-1", "cache-2", "::1"])
        #expect(url.hosts.map(\.port) == [1, 11211, 3])
    }
}
