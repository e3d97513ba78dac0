/// How long a session lives. Both limits are kept on the server; a cookie's lifetime is a courtesy of the browser.
public struct SessionPolicy: Hashable, Sendable {
    /// A session ends when it has not been used for this long. Too short logs people out while they read; too long leaves a
    /// forgotten browser open. Thirty minutes by default.
    public var idle: Duration

    /// A session ends this long after its login, however busy it is: the bound on what a stolen cookie is worth. Twelve hours by default.
    public var absolute: Duration

    public init(idle: Duration = .seconds(1800), absolute: Duration = .seconds(43_200)) {
        self.idle = idle
        self.absolute = absolute
    }

    /// Use is recorded at most this often (a tenth of ``idle``), so that reading costs no write. A session may therefore end up to
    /// a tenth of ``idle`` early, never late.
    public var touchInterval: Duration { self.idle / 10 }

    /// How much longer a session may live at most, seen from now, when it was created `age` ago and is used now.
    ///
    /// Zero or negative: it is over.
    public func remainingLife(atAge age: Duration) -> Duration {
        min(self.idle, self.absolute - age)
    }

    /// Whether a session that was created `age` ago and last used `unused` ago is over. The limits themselves are outside:
    /// a session of exactly ``idle`` without use is over.
    public func isOver(age: Duration, unused: Duration) -> Bool {
        age >= self.absolute || unused >= self.idle
    }

    func validate() throws(SessionError) {
        guard self.idle > .zero, self.absolute > .zero else {
            throw SessionError(code: .configuration, message: "a session policy's idle and absolute limits must be longer than zero")
        }
    }
}
