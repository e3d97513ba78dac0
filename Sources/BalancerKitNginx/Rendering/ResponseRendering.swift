import BalancerKitProxy

/// What responses get, as `add_header` and `expires`. nginx hands it on from block to block as the embedded proxy does.
enum ResponseRendering {
    static func write(_ settings: ResponseSettings, to writer: inout DirectiveWriter) throws(NginxError) {
        if let fields = settings.fields { try Self.write(fields, to: &writer) }
        if let expiry = settings.expiry { writer.write(["expires"] + Self.words(expiry)) }
    }

    private static func write(_ fields: [ResponseField], to writer: inout DirectiveWriter) throws(NginxError) {
        for field in fields {
            writer.write(["add_header", field.name, try field.value.rendered()] + (field.isAlways ? ["always"] : []))
        }
        // Said to be none, which is not the same as said nothing: an empty field is not sent, and what is said around it holds no more.
        if fields.isEmpty { writer.write("add_header", "X-None", "") }
    }

    private static func words(_ expiry: ResponseExpiry) -> [String] {
        switch expiry {
        case .off: ["off"]
        case .epoch: ["epoch"]
        case .max: ["max"]
        case .after(let time): [Self.text(time)]
        case .afterModification(let time): ["modified", Self.text(time)]
        case .atTimeOfDay(let time): ["@\(time.components.seconds)s"]
        }
    }

    private static func text(_ time: Duration) -> String {
        let seconds = time.components.seconds
        return (seconds < 0 ? "-" : "") + "\(seconds.magnitude)s"
    }
}
