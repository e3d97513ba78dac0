/// Until when a response may be used without asking again: nginx's `expires`.
///
/// It is said by the fields Expires and Cache-Control, in place of the response's own. Responses with another status than those of
/// ``ResponseField/isAlways`` have neither. Times are whole seconds.
public enum ResponseExpiry: Hashable, Sendable {
    /// Nothing is said.
    case off
    /// It is old at once, and must be asked for each time.
    case epoch
    /// For ten years.
    case max
    /// So long after the response; below zero it is old at once. At most 1000 years.
    case after(Duration)
    /// So long after the response's Last-Modified, or after the response where it has none. At most 1000 years.
    case afterModification(Duration)
    /// Until this time of the day comes next, by the clock of this machine's time zone: 0…24 hours since midnight.
    case atTimeOfDay(Duration)
}

extension ResponseExpiry {
    /// A thousand years.
    package static let longestSeconds: Int64 = 1000 * 365 * 86_400

    func validate() throws(ProxyError) {
        let (time, range): (Duration, ClosedRange<Int64>)
        switch self {
        case .off, .epoch, .max: return
        case .after(let duration), .afterModification(let duration):
            (time, range) = (duration, -Self.longestSeconds...Self.longestSeconds)
        case .atTimeOfDay(let duration): (time, range) = (duration, 0...86_400)
        }
        guard time.components.attoseconds == 0 else { throw .invalid("responses.expiry", "a time is whole seconds") }
        guard range.contains(time.components.seconds) else {
            throw .invalid("responses.expiry", "a time is at most 1000 years, and a time of the day at most 24 hours")
        }
    }
}
