/// The endpoint that a call's key stands for, in proportion to the weights: nginx's `hash`.
///
/// When an endpoint comes or goes, most keys move; ``ConsistentHash`` moves few. A call without a key (``CallHistory/key``) takes its turn
/// in round robin, and so does one that finds nobody usable in 20 tries.
///
/// Source: `ngx_http_upstream_hash_module.c`; the choice is nginx's own. O(endpoints) per try.
public struct KeyHash: BalancingStrategy {
    public init() {}

    public mutating func pick(from candidates: inout Candidates, random: inout some RandomNumberGenerator) -> Int? {
        guard let key = candidates.key, !key.isEmpty else { return nil }
        var sum = 0
        for turn in 0...20 {
            var checksum = CRC32()
            if turn > 0 { checksum.update("\(turn)".utf8) }
            checksum.update(key)
            sum += Int(checksum.value >> 16 & 0x7FFF)
            if let position = candidates.position(atPoint: sum) { return position }
        }
        return nil
    }
}

/// The endpoint that a client's network stands for: nginx's `ip_hash`. The key is three octets of an IPv4 address, or all of an IPv6 one.
///
/// Source: `ngx_http_upstream_ip_hash_module.c`; the choice is nginx's own. O(endpoints) per try.
public struct NetworkHash: BalancingStrategy {
    public init() {}

    public mutating func pick(from candidates: inout Candidates, random: inout some RandomNumberGenerator) -> Int? {
        guard let key = candidates.key, !key.isEmpty else { return nil }
        var hash = 89
        for _ in 0...20 {
            for byte in key { hash = (hash * 113 + Int(byte)) % 6271 }
            if let position = candidates.position(atPoint: hash) { return position }
        }
        return nil
    }
}

/// The endpoint next to a call's key on a ring of points, 160 for each unit of weight: nginx's `hash … consistent`.
///
/// When one of n endpoints comes or goes, about 1/n of the keys move. A call without a key takes its turn in round robin, and so does one
/// that finds nobody usable in 20 tries.
///
/// Source: Karger et al., "Consistent Hashing and Random Trees" (1997), with the points of Cache::Memcached::Fast as in
/// `ngx_http_upstream_hash_module.c`; the choice is nginx's own where its servers are written with their ports. O(log points) per pick; the
/// ring, of a million points at most, is made when the endpoints have changed.
public struct ConsistentHash: BalancingStrategy {
    private struct Point {
        let hash: UInt32
        let member: Int
    }

    private static let pointsPerWeight = 160
    private static let mostPoints = 1_000_000
    private var points: [Point] = []

    public init() {}

    public mutating func endpointsChanged(_ endpoints: [EndpointID]) {
        self.points = []
    }

    public mutating func pick(from candidates: inout Candidates, random: inout some RandomNumberGenerator) -> Int? {
        guard let key = candidates.key, !key.isEmpty else { return nil }
        if self.points.isEmpty { self.points = Self.ring(candidates) }
        guard !self.points.isEmpty else { return nil }
        var checksum = CRC32()
        checksum.update(key)
        let start = self.firstPoint(from: checksum.value)
        for turn in 0..<20 {
            let point = self.points[(start + turn) % self.points.count]
            if let position = candidates.position(ofMember: point.member) { return position }
        }
        return nil
    }

    /// The index of the first point that is not below the hash; wraps.
    private func firstPoint(from hash: UInt32) -> Int {
        var (lower, upper) = (0, self.points.count)
        while lower < upper {
            let middle = (lower + upper) / 2
            if self.points[middle].hash < hash { lower = middle + 1 } else { upper = middle }
        }
        return lower == self.points.count ? 0 : lower
    }

    private static func ring(_ candidates: Candidates) -> [Point] {
        let members = candidates.members.enumerated().filter { !$0.element.endpoint.isBackup }
        let weights = members.reduce(0) { $0 + $1.element.endpoint.weight }
        // Beyond the bound all get fewer points, in the same proportion.
        let divisor = max(1, (weights + Self.mostPoints / Self.pointsPerWeight - 1) / (Self.mostPoints / Self.pointsPerWeight))
        var points: [Point] = []
        for (index, member) in members {
            let base = Self.base(member.endpoint.address)
            var previous: UInt32 = 0
            for _ in 0..<(max(1, member.endpoint.weight / divisor) * Self.pointsPerWeight) {
                var checksum = base
                checksum.update((0..<4).map { UInt8(truncatingIfNeeded: previous >> ($0 * 8)) })
                previous = checksum.value
                points.append(Point(hash: previous, member: index))
            }
        }
        let sorted = points.enumerated().sorted { left, right in
            left.element.hash == right.element.hash ? left.offset < right.offset : left.element.hash < right.element.hash
        }
        var ring: [Point] = []
        for (_, point) in sorted where ring.last?.hash != point.hash { ring.append(point) }
        return ring
    }

    /// Host, zero byte, port.
    private static func base(_ address: Endpoint.Address) -> CRC32 {
        var checksum = CRC32()
        switch address {
        case .unix(let path):
            checksum.update(path.utf8)
            checksum.update([0])
        case .host(let host, let port):
            checksum.update((host.utf8.contains(UInt8(ascii: ":")) ? "[\(host)]" : host).utf8)
            checksum.update([0])
            checksum.update("\(port)".utf8)
        }
        return checksum
    }
}

extension BalancingStrategy where Self == KeyHash {
    /// By a call's key, in proportion to the weights.
    public static var keyHash: KeyHash { KeyHash() }
}

extension BalancingStrategy where Self == NetworkHash {
    /// By a client's network.
    public static var networkHash: NetworkHash { NetworkHash() }
}

extension BalancingStrategy where Self == ConsistentHash {
    /// By a call's key on a ring, so that few keys move when endpoints come and go.
    public static var consistentHash: ConsistentHash { ConsistentHash() }
}

extension Candidates {
    /// The position of the endpoint in whose stretch a point lies when the weights of all endpoints but the backups, usable or not, are laid
    /// end to end again and again. Nil where it is not usable at present.
    func position(atPoint point: Int) -> Int? {
        let total = self.members.reduce(0) { $1.endpoint.isBackup ? $0 : $0 + $1.endpoint.weight }
        guard total > 0 else { return nil }
        var rest = point % total
        for (index, member) in self.members.enumerated() where !member.endpoint.isBackup {
            rest -= member.endpoint.weight
            if rest < 0 { return self.position(ofMember: index) }
        }
        return nil
    }
}
