import BalancerKit

/// nginx's rules for a group of peers (`round_robin`, `least_conn`), written down a second time and as plainly as possible, to compare with.
struct NginxPeers {
    struct Peer {
        let name: String
        let weight: Int
        let maxFails: Int
        let failTimeout: Int
        let maxConnections: Int
        let isBackup: Bool
        let isDown: Bool
        var effectiveWeight: Int
        var currentWeight = 0
        var fails = 0
        var accessed = -1_000_000
        var checked = -1_000_000
        var connections = 0
    }

    struct Request {
        var tried: Set<String> = []
        var isOnBackups = false
    }

    var peers: [Peer]
    let isLeastConnections: Bool

    mutating func get(_ request: inout Request, now: Int) -> String? {
        if self.peers.count == 1 {
            let isFull = self.peers[0].maxConnections > 0 && self.peers[0].connections >= self.peers[0].maxConnections
            guard !self.peers[0].isDown, !isFull, request.tried.insert(self.peers[0].name).inserted else { return nil }
            self.peers[0].connections += 1
            return self.peers[0].name
        }
        if !request.isOnBackups {
            if let name = self.take(backups: false, &request, now: now) { return name }
            guard self.peers.contains(where: \.isBackup) else { return nil }
            request.isOnBackups = true
        }
        return self.take(backups: true, &request, now: now)
    }

    private mutating func take(backups: Bool, _ request: inout Request, now: Int) -> String? {
        var usable = self.peers.indices.filter { index in
            let peer = self.peers[index]
            if peer.isBackup != backups || peer.isDown || request.tried.contains(peer.name) { return false }
            if peer.maxFails > 0, peer.fails >= peer.maxFails, now - peer.checked <= peer.failTimeout { return false }
            return peer.maxConnections == 0 || peer.connections < peer.maxConnections
        }
        guard var best = usable.first else { return nil }
        if self.isLeastConnections {
            let least = usable.min { self.ratio($0) < self.ratio($1) } ?? best
            usable = usable.filter { self.ratio($0) == self.ratio(least) }
            best = usable[0]
        }
        if !self.isLeastConnections || usable.count > 1 {
            var total = 0
            for index in usable {
                self.peers[index].currentWeight += self.peers[index].effectiveWeight
                total += self.peers[index].effectiveWeight
                if self.peers[index].effectiveWeight < self.peers[index].weight { self.peers[index].effectiveWeight += 1 }
                if self.peers[index].currentWeight > self.peers[best].currentWeight { best = index }
            }
            self.peers[best].currentWeight -= total
        }
        if now - self.peers[best].checked > self.peers[best].failTimeout { self.peers[best].checked = now }
        self.peers[best].connections += 1
        request.tried.insert(self.peers[best].name)
        return self.peers[best].name
    }

    /// Connections by weight, over a common denominator.
    private func ratio(_ index: Int) -> Int {
        self.peers[index].connections * self.peers.reduce(1) { $0 * $1.weight } / self.peers[index].weight
    }

    mutating func free(_ name: String, failed: Bool, now: Int) {
        guard let index = self.peers.firstIndex(where: { $0.name == name }) else { return }
        self.peers[index].connections -= 1
        guard self.peers.count > 1 else { return }
        if failed {
            self.peers[index].fails += 1
            self.peers[index].accessed = now
            self.peers[index].checked = now
            if self.peers[index].maxFails > 0 {
                self.peers[index].effectiveWeight -= self.peers[index].weight / self.peers[index].maxFails
            }
            self.peers[index].effectiveWeight = max(0, self.peers[index].effectiveWeight)
        } else if self.peers[index].accessed < self.peers[index].checked {
            self.peers[index].fails = 0
        }
    }
}

extension NginxPeers.Peer {
    init(_ endpoint: Endpoint) {
        self.init(
            name: endpoint.letter, weight: endpoint.weight, maxFails: endpoint.maxFails,
            failTimeout: Int(endpoint.failTimeout.components.seconds), maxConnections: endpoint.maxConnections,
            isBackup: endpoint.isBackup, isDown: endpoint.isDown, effectiveWeight: endpoint.weight)
    }
}
