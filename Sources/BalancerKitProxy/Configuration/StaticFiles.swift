/// Files that the proxy answers with itself: nginx's `root` or `alias` with `index` and `types`.
///
/// GET and HEAD, with conditions (RFC 9110 §13) and ranges (§14); ETag and Last-Modified are those of nginx. A directory without its final
/// slash is redirected, one without an index file is 403. Whatever is no regular file is 404, and never opened. Files are read on
/// threads of their own, no faster than the client takes them; one that shrinks meanwhile ends the connection.
public struct StaticFiles: Sendable {
    /// How a path becomes a file's name.
    public enum Mapping: Hashable, Sendable {
        /// The whole path is put behind the directory: nginx's `root`.
        case root
        /// What the path has behind the route's prefix is put behind the directory: nginx's `alias`.
        case alias
    }

    /// What becomes of symbolic links below the directory. The directory's own path may hold any.
    public enum SymbolicLinks: Hashable, Sendable {
        /// They are followed wherever they lead: nginx's `disable_symlinks off`, its default.
        case followed
        /// They are followed as long as they stay below the directory; others are 403.
        case followedWithinRoot
        /// A path with one is 403: nginx's `disable_symlinks on`.
        case refused
    }

    /// What If-Modified-Since is compared by (nginx's `if_modified_since`).
    public enum ModificationCheck: Hashable, Sendable {
        /// Not modified only if the date is exactly that of the file.
        case exact
        /// Not modified if the date is that of the file or later.
        case before
        /// The field is ignored.
        case off
    }

    /// An absolute path.
    public var directory: String
    public var mapping: Mapping
    /// Names that are looked for in a directory, in their order.
    public var indexFiles = ["index.html"]
    /// A file below the directory that is sent in place of one that is not there: `try_files $uri /index.html`. Begins with a slash.
    public var fallbackFile: String?
    public var symbolicLinks = SymbolicLinks.followedWithinRoot
    /// Whether paths with a name that begins with a dot are 404, `/.well-known/` among them. nginx serves them.
    public var hidesDotFiles = false
    /// Content types by what follows the last dot of a name, in lower case.
    public var contentTypes = StaticFiles.usualContentTypes
    /// The content type of all others; empty is none.
    public var defaultContentType = "application/octet-stream"
    public var ifModifiedSince = ModificationCheck.exact
    /// Whether an ETag is sent, made of the file's time and size as nginx makes it.
    public var sendsETag = true
    /// Ranges that a request may ask for; with more it gets the whole file, and with 0 no request gets a range. nginx's `max_ranges`, where
    /// it is unlimited. Ranges that together are longer than the file get the whole file in any case.
    public var maximumRanges = 16
    /// A Cache-Control field's value for files that are sent; nil sends none.
    public var cacheControl: String?

    public init(directory: String, mapping: Mapping = .root) {
        self.directory = directory
        self.mapping = mapping
    }
}

extension StaticFiles {
    /// Types that websites are made of.
    public static let usualContentTypes: [String: String] = [
        "avif": "image/avif", "bin": "application/octet-stream", "bmp": "image/x-ms-bmp", "css": "text/css", "csv": "text/csv",
        "gif": "image/gif", "gz": "application/gzip", "htm": "text/html", "html": "text/html", "ico": "image/x-icon",
        "jpeg": "image/jpeg", "jpg": "image/jpeg", "js": "application/javascript", "json": "application/json", "map": "application/json",
        "md": "text/markdown", "mjs": "application/javascript", "mov": "video/quicktime", "mp3": "audio/mpeg", "mp4": "video/mp4",
        "ogg": "audio/ogg", "otf": "font/otf", "pdf": "application/pdf", "png": "image/png", "rss": "application/rss+xml",
        "shtml": "text/html", "svg": "image/svg+xml", "tar": "application/x-tar", "ttf": "font/ttf", "txt": "text/plain",
        "wasm": "application/wasm", "wav": "audio/x-wav", "webm": "video/webm", "webmanifest": "application/manifest+json",
        "webp": "image/webp", "woff": "font/woff", "woff2": "font/woff2", "xml": "text/xml", "zip": "application/zip",
    ]
}
