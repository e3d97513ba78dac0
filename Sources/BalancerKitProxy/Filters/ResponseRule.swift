/// What is said of a route's responses, made ready.
struct PlannedResponses: Sendable {
    /// What they get; nil where that is nothing.
    let rule: ResponseRule?
    let log: RequestLog
}

/// What a route's responses get, made ready.
final class ResponseRule: Sendable {
    private let fields: [ResponseField]
    private let expiry: ResponseExpiry

    /// Nil where they get nothing.
    init?(_ settings: ResponseSettings) {
        self.fields = settings.fields ?? []
        self.expiry = settings.expiry ?? .off
        guard !self.fields.isEmpty || self.expiry != .off else { return nil }
    }

    /// Fills the variables in while the request's head is at hand.
    func additions(for request: RequestView) -> ResponseAdditions {
        ResponseAdditions(
            fields: self.fields.map { field in
                .init(
                    name: field.name, value: field.value.fieldValue(for: request), isAlways: field.isAlways, replaces: field.replaces)
            },
            expiry: self.expiry)
    }
}

/// What one response gets, whatever its status will be.
struct ResponseAdditions: Equatable, Sendable {
    struct Field: Equatable, Sendable {
        var name: String
        var value: [UInt8]
        var isAlways = false
        var replaces = false
    }

    var fields: [Field] = []
    var expiry = ResponseExpiry.off

    /// Without what stands in the place of Last-Modified and ETag.
    var withoutValidators: ResponseAdditions {
        var additions = self
        additions.fields.removeAll(where: \.replaces)
        return additions
    }

    /// Whether the response's Last-Modified is needed.
    var asksForModification: Bool { if case .afterModification = self.expiry { true } else { false } }

    /// What the head gets (`ngx_http_headers_filter`).
    ///
    /// - Parameters:
    ///   - status: the response's.
    ///   - modified: the second of its Last-Modified.
    ///   - second: the present one, as in the response's Date.
    func changes(status: Int, modified: Int64?, at second: Int64) -> ResponseChanges {
        let isUsual = [200, 201, 204, 206, 301, 302, 303, 304, 307, 308].contains(status)
        var changes = ResponseChanges()
        if isUsual, let expiry = ExpiryFields(self.expiry, modified: modified, at: second) {
            for name in ["expires", "cache-control"] { changes.remove(name) }
            changes.add("Expires", HTTPDate.bytes(ofSecond: expiry.second))
            changes.add("Cache-Control", expiry.maximumAge.map { Array("max-age=\($0)".utf8) } ?? Array("no-cache".utf8))
        }
        for field in self.fields where isUsual || field.isAlways {
            if field.replaces { changes.remove(field.name.lowercased()) }
            if !field.value.isEmpty { changes.add(field.name, field.value) }
        }
        return changes
    }
}

/// What a head gets and loses.
struct ResponseChanges: Equatable, Sendable {
    /// Lines with their ends.
    private(set) var lines: [UInt8] = []
    /// Names of fields that the head has no more, in lower case.
    private(set) var removed: [String] = []

    fileprivate mutating func add(_ name: String, _ value: [UInt8]) {
        self.lines += Array(name.utf8) + Array(": ".utf8) + value + Array("\r\n".utf8)
    }

    /// Of several that replace the same field the last one stands.
    fileprivate mutating func remove(_ name: String) {
        self.lines = Self.lines(self.lines, without: [name])
        if !self.removed.contains(name) { self.removed.append(name) }
    }

    func removes(_ bytes: UnsafeRawBufferPointer, _ name: Range<Int>) -> Bool {
        self.removed.contains { ByteScan.spells(bytes, name, $0) }
    }

    /// A head's own lines as they are now.
    func applied(to lines: [UInt8]) -> [UInt8] {
        (self.removed.isEmpty ? lines : Self.lines(lines, without: self.removed)) + self.lines
    }

    private static func lines(_ lines: [UInt8], without names: [String]) -> [UInt8] {
        var kept: [UInt8] = []
        var rest = lines[...]
        while let end = rest.firstIndex(of: UInt8(ascii: "\n")) {
            let line = rest[...end]
            let name = line.prefix { $0 != UInt8(ascii: ":") }.map(ByteClass.lowercased)
            if !names.contains(where: { $0.utf8.elementsEqual(name) }) { kept += line }
            rest = rest[(end + 1)...]
        }
        return kept
    }
}
