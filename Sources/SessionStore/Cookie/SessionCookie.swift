/// How the session's id travels: the cookie's name and attributes, and the exact text of its `Set-Cookie` lines.
///
/// The default is `__Host-session=…; Path=/; Secure; HttpOnly; SameSite=Lax`. The prefix (RFC 6265bis §4.1.3.2) makes browsers refuse the
/// cookie unless it is `Secure`, for the whole host and for this host only, so that no sibling domain can plant one. `Domain` and `Path`
/// can therefore not be set. The cookie lasts as long as the browser runs: how long the *session* lasts is decided on the server.
public struct SessionCookie: Hashable, Sendable {
    /// Whether requests from other sites carry the cookie. (`None` is not offered: such sessions are open to forged requests.)
    public enum SameSite: String, Hashable, Sendable {
        /// On top-level navigation only: a link from elsewhere finds the user logged in.
        case lax = "Lax"
        /// Never.
        case strict = "Strict"
    }

    /// The name that travels, prefix included.
    public let name: String
    public var sameSite: SameSite = .lax
    /// Whether the browser keeps the cookie when it is closed, until the session's absolute limit (`Max-Age`). Off by default, as for
    /// shared machines.
    public var isPersistent: Bool = false

    private let isInsecure: Bool

    /// - Parameter insecureCookies: for development over plain HTTP on loopback: drops the `__Host-` prefix and `Secure`, nothing else.
    public init(insecureCookies: Bool = false) {
        self.isInsecure = insecureCookies
        self.name = insecureCookies ? "session" : "__Host-session"
    }

    /// A cookie with a name of one's own, which gets the `__Host-` prefix. Throws `.configuration` unless the name is a token (RFC 9110
    /// §5.6.2) of at most 64 characters that does not bring a prefix itself.
    ///
    /// A name tells nothing better than something: `session` rather than the framework's name.
    public init(name: String, insecureCookies: Bool = false) throws(SessionError) {
        guard !name.isEmpty, name.utf8.count <= 64, name.utf8.allSatisfy(Self.isTokenCharacter), !name.hasPrefix("__") else {
            throw SessionError(
                code: .configuration, message: "a session cookie's name is 1 to 64 characters of an HTTP token and does not begin with __")
        }
        self.isInsecure = insecureCookies
        self.name = insecureCookies ? name : "__Host-" + name
    }

    /// The `Set-Cookie` value that hands out an id.
    ///
    /// - Parameter remaining: how long the session can live at most; becomes `Max-Age`, in whole seconds, when ``isPersistent``.
    public func setting(_ id: SessionID, remaining: Duration) -> String {
        let cookie = "\(self.name)=\(id.cookieValue)\(self.attributes)"
        return self.isPersistent ? "\(cookie); Max-Age=\(max(0, remaining.components.seconds))" : cookie
    }

    /// The `Set-Cookie` value that makes the browser forget the id: the same attributes, empty and of age zero.
    public var clearing: String {
        "\(self.name)=\(self.attributes); Max-Age=0"
    }

    private var attributes: String {
        "; Path=/\(self.isInsecure ? "" : "; Secure"); HttpOnly; SameSite=\(self.sameSite.rawValue)"
    }

    private static func isTokenCharacter(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "a")...UInt8(ascii: "z"): true
        default: "!#$%&'*+-.^_`|~".utf8.contains(byte)
        }
    }
}
