import CMemcachedBaseline
import CacheKit
import CacheKitMemcached
import Harness
import ScaleCore

/// Reads by many callers through a store over three servers, beside libmemcached in C that asks for the same keys in one multi-get.
enum MemcachedRow {
    private static let callers = 64
    private static let readsPerCaller = 400
    /// The C side is so much quicker that it needs more of them for a figure as steady.
    private static let multiGets = 4 * readsPerCaller
    private static let namespace = "bench"

    struct Failure: Error, CustomStringConvertible {
        let description: String
    }

    static func measure(rounds: Int, servers: String) async throws -> [Comparison] {
        let hosts = servers.split(separator: ",").map { $0.split(separator: ":") }
        guard hosts.allSatisfy({ $0.count == 2 && Int32($0[1]) != nil }) else {
            throw Failure(description: "--memcached takes HOST:PORT,HOST:PORT,…")
        }
        let store = try MemcachedCacheStore("memcached://\(servers)")
        let keys = (0..<Self.callers).map { CacheKey(namespace: Self.namespace, name: "user:\($0):profile") }
        for (number, key) in keys.enumerated() {
            let record = CacheRecord(
                nonce: RecordNonce(high: 1, low: UInt64(number)), schema: 1, tags: [], body: .bytes(Array(repeating: 1, count: 100)))
            for result in try await store.write([StoreWrite(key: key, record: record, life: CacheLife(nil))]) { try result.get() }
        }
        let names = keys.map { StorageName.of($0, maximumLength: 250) }
        let pairs = try await interleaved(rounds: rounds) {
            try await Self.microsecondsPerRead(store, keys)
        } theirs: {
            try await CPUTime.perOperation(Self.callers * Self.multiGets) {
                let failure = Self.baseline(hosts.map { String($0[0]) }, hosts.compactMap { Int32($0[1]) }, names)
                guard failure == 0 else { throw Failure(description: "libmemcached failed in step \(failure)") }
            } * 1e6
        }
        _ = try await store.remove(keys)
        await store.shutdown()
        return [
            Comparison(
                name: "Memcached GET, \(Self.callers) callers, \(hosts.count) servers",
                against: "libmemcached in C, mget of \(Self.callers)",
                unit: "µs CPU", bound: .max, limit: 6, rounds: pairs)
        ]
    }

    private static func microsecondsPerRead(_ store: MemcachedCacheStore, _ keys: [CacheKey]) async throws -> Double {
        try await CPUTime.perOperation(Self.callers * Self.readsPerCaller) {
            try await withThrowingTaskGroup(of: Void.self) { group in
                for key in keys {
                    group.addTask {
                        for _ in 0..<Self.readsPerCaller {
                            guard case .record(let record)? = try await store.read([key], epochs: []).entries.first, record.body.size == 100
                            else { throw Failure(description: "an unexpected value") }
                        }
                    }
                }
                try await group.waitForAll()
            }
        } * 1e6
    }

    private static func baseline(_ hosts: [String], _ ports: [Int32], _ names: [String]) -> Int32 {
        Self.withPointers(hosts) { hosts in
            Self.withPointers(names) { names in
                memcached_baseline_mget(hosts, ports, Int32(ports.count), names, Int32(Self.callers), Int32(Self.multiGets))
            }
        }
    }

    /// The texts as C takes them, for the time of the call.
    private static func withPointers<Result>(_ texts: [String], _ body: ([UnsafePointer<CChar>?]) -> Result) -> Result {
        let copies = texts.map { text in
            let bytes = Array(text.utf8CString)
            let copy = UnsafeMutablePointer<CChar>.allocate(capacity: bytes.count)
            copy.initialize(from: bytes, count: bytes.count)
            return copy
        }
        defer { for copy in copies { copy.deallocate() } }
        return body(copies.map { UnsafePointer($0) })
    }
}
