/// The service as the scenario meets it: addresses, and the one thing that it does to the service from outside.
protocol SmokeStage: Sendable {
    /// The proxy in front.
    var proxy: String { get }
    /// The two instances behind it.
    var instances: [String] { get }
    /// An instance of the same build over a database without profiles.
    var empty: String { get }

    /// Where `/metrics` has to be asked to hear of both instances.
    var metricsAddresses: [String] { get }

    /// Stops the first instance as an operator would: requests in flight are finished.
    func stopFirstInstance() async throws
}
