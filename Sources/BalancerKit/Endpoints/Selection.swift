public import ScaleCore

/// What a set answers when it is asked for an endpoint.
public enum Pick: Sendable {
    /// Call this endpoint, and report how it went.
    case endpoint(Selection)
    /// Nobody can take the call now. ``EndpointSet/noLiveEndpoint(_:at:place:)`` says why.
    case unavailable
}

/// One attempt at an endpoint, from its pick to its report.
public struct Selection: Sendable {
    public let id: EndpointID
    public let endpoint: Endpoint
    /// When it was picked.
    public let startedAt: Instant
    let index: Int
    let probe: PassiveHealth.Probe?

    init(member: Member, index: Int, probe: PassiveHealth.Probe?, startedAt: Instant) {
        self.id = member.id
        self.endpoint = member.endpoint
        self.startedAt = startedAt
        self.index = index
        self.probe = probe
    }

    /// Whether this attempt tests an endpoint after its rest.
    public var isProbe: Bool { self.probe != nil }
}

/// How an attempt ended, as far as the endpoint's health is concerned.
public enum CallOutcome: Hashable, Sendable {
    /// The endpoint answered, whatever the answer says.
    case success
    /// The endpoint did not answer as a healthy one would.
    case failure
    /// The call ended without showing anything of the endpoint, as when its caller gave up.
    case abandoned
}

/// What a set knows of one endpoint.
public struct EndpointStatus: Sendable {
    public var id: EndpointID
    public var endpoint: Endpoint
    /// Attempts in flight.
    public var activeCalls: Int
    /// Failures that count at present.
    public var fails: Int
    /// Why it cannot be picked at present, or nothing when it can.
    public var obstacle: UnavailableEndpoint.Reason?
}

/// A turn in an endpoint's health.
public enum HealthChange: Hashable, Sendable {
    /// It has failed as often as its `maxFails` allows and gets no calls for its `failTimeout`.
    case restBegan
    /// Its probe succeeded: its failures are forgotten.
    case recovered
}
