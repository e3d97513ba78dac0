/// What goes wrong with one operation of a fake.
public struct Fault: Sendable {
    enum Kind: Sendable {
        case failure(any Error)
        case lostReply(any Error)
        case pause(Gate)
    }

    let kind: Kind

    /// The operation does not happen; its caller gets `error`.
    public static func failure(_ error: any Error) -> Fault {
        Fault(kind: .failure(error))
    }

    /// The operation happens, and its caller gets `error` all the same: the case in which a repeated request is done twice.
    public static func lostReply(_ error: any Error) -> Fault {
        Fault(kind: .lostReply(error))
    }

    /// The operation waits at `gate` before it happens.
    public static func pause(at gate: Gate) -> Fault {
        Fault(kind: .pause(gate))
    }
}
