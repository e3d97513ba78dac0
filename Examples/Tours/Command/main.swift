import Tours

// Each kit in a dozen lines, one after the other.
for (name, tour) in [
    ("CacheKit", CacheTour.run), ("QueueKit", QueueTour.run), ("BalancerKit", BalancerTour.run), ("SessionStore", SessionTour.run),
] {
    print(name)
    try await tour { print("  \($0)") }
}
