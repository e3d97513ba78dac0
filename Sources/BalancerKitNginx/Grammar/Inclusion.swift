/// Finds and reads what `include` names, within bounds that nginx does not have: no circles, 64 files deep, 64 MiB and 10000 files in all.
struct Inclusion {
    static let deepest = 64
    static let mostFiles = 10_000
    static let mostBytes = 64 << 20

    /// Where relative names begin, without the last slash.
    let prefix: String
    private var open: [String]
    private var files = 1
    private var bytes: Int

    /// - Parameter main: the file that includes, and how large it is.
    init(prefix: String, main: String, bytes: Int) {
        self.prefix = prefix
        self.open = [main]
        self.bytes = bytes
    }

    /// The files that a pattern stands for, in the order of their names. Nothing may match a mask; a name without one is the file.
    func files(matching pattern: [UInt8], at place: NginxPlace) throws(NginxError) -> [String] {
        guard let text = String(validating: pattern, as: UTF8.self), !pattern.contains(0) else {
            throw NginxError(code: .unreadable, message: "a file's name is no UTF-8", place: place)
        }
        let path = ConfigurationFile.path(text, below: self.prefix)
        guard text.utf8.contains(where: { [UInt8(ascii: "*"), UInt8(ascii: "?"), UInt8(ascii: "[")].contains($0) }) else { return [path] }
        return ConfigurationFile.matching(path)
    }

    mutating func open(_ name: String, at place: NginxPlace) throws(NginxError) -> [UInt8] {
        guard !self.open.contains(name) else {
            throw NginxError(code: .tooLarge, message: "\"\(name)\" includes itself", place: place)
        }
        guard self.open.count < Self.deepest else {
            throw NginxError(code: .tooLarge, message: "more than \(Self.deepest) files include each other", place: place)
        }
        let contents = try ConfigurationFile.read(name, at: place)
        self.files += 1
        self.bytes += contents.count
        guard self.files <= Self.mostFiles, self.bytes <= Self.mostBytes else {
            throw NginxError(code: .tooLarge, message: "the configuration has more than 10000 files or 64 MiB", place: place)
        }
        self.open.append(name)
        return contents
    }

    mutating func closed(_ name: String) {
        if let index = self.open.lastIndex(of: name) { self.open.remove(at: index) }
    }
}
