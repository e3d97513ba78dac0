/// What responses get besides what their route's action makes of them, and where they are noted.
///
/// What is nil is as around it: as in the route that a route lies within, in the host that it belongs to, in the proxy. As with nginx's
/// directives the innermost word counts alone; fields are not gathered from several places.
public struct ResponseSettings: Sendable, Hashable {
    /// nginx's `add_header`. Empty adds none, whatever is said around it.
    public var fields: [ResponseField]?
    /// nginx's `expires`.
    public var expiry: ResponseExpiry?
    /// Where the request is noted once its response is over: nginx's `access_log`. In the proxy's log where nobody says otherwise.
    public var log: AccessLogging?

    public init() {}
}

extension ResponseSettings {
    /// What holds where this is said within something else.
    package func within(_ outer: ResponseSettings) -> ResponseSettings {
        var settings = self
        settings.fields = self.fields ?? outer.fields
        settings.expiry = self.expiry ?? outer.expiry
        settings.log = self.log ?? outer.log
        return settings
    }

    func validate() throws(ProxyError) {
        for field in self.fields ?? [] { try field.validate() }
        try self.expiry?.validate()
        try self.log?.validate()
    }
}
