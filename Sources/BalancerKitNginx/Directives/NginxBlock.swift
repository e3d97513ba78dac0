/// What a statement stands in; nginx's contexts.
public enum NginxBlock: Hashable, Sendable {
    case main, events, http, server, location, upstream
    /// `if` in a server, and in a location.
    case ifInServer, ifInLocation
    case limitExcept
    /// Lines of words that are no directives: `types`, `map`, `geo`, `split_clients`.
    case values(of: String)
    /// Where any directive may stand: the grammar alone.
    case any
}

extension NginxBlock {
    /// The letter by which the tables name it.
    init?(letter: Character) {
        switch letter {
        case "m": self = .main
        case "e": self = .events
        case "h": self = .http
        case "s": self = .server
        case "l": self = .location
        case "u": self = .upstream
        case "j": self = .ifInServer
        case "i": self = .ifInLocation
        case "x": self = .limitExcept
        default: return nil
        }
    }
}
