/// `access_log off; access_log FILE [FORMAT [buffer=SIZE] [flush=TIME] [gzip[=LEVEL]] [if=CONDITION]];` (`ngx_http_log_set_log`)
struct AccessLogArguments {
    /// Empty for `off`.
    let file: NginxWord?
    let format: String
    /// As they stand there.
    private(set) var parameters: [String] = []

    init(_ statement: NginxSyntaxTree.Node) throws(NginxError) {
        let words = Array(statement.arguments)
        guard let first = words.first, first.text != "off" else {
            guard words.count <= 1 else { throw .invalid("invalid parameter \"\(words[1].text)\"", statement) }
            self.file = nil
            self.format = "combined"
            return
        }
        self.file = first
        self.format = words.count > 1 ? words[1].text : "combined"
        var (isBuffered, isFlushed) = (false, false)
        for word in words.dropFirst(2).map(\.text) {
            self.parameters.append(word)
            func value(_ name: String) -> [UInt8]? { word.hasPrefix(name) ? Array(word.utf8.dropFirst(name.utf8.count)) : nil }
            if let size = value("buffer=") {
                guard let bytes = NginxQuantity.size(size, allowsGiga: false), bytes > 0 else {
                    throw .invalid("invalid buffer size \"\(String(decoding: size, as: UTF8.self))\"", statement)
                }
                isBuffered = true
            } else if let time = value("flush=") {
                guard let milliseconds = NginxQuantity.time(time, in: .milliseconds), milliseconds > 0 else {
                    throw .invalid("invalid flush time \"\(String(decoding: time, as: UTF8.self))\"", statement)
                }
                isFlushed = true
            } else if word == "gzip" || value("gzip=") != nil {
                isBuffered = true
                guard let level = value("gzip=") else { continue }
                guard let number = NginxQuantity.number(level), (1...9).contains(number) else {
                    throw .invalid("invalid compression level \"\(String(decoding: level, as: UTF8.self))\"", statement)
                }
            } else if let condition = value("if=") {
                _ = try VariableNames.inside(condition, at: statement.place)
            } else {
                throw .invalid("invalid parameter \"\(word)\"", statement)
            }
        }
        if isFlushed, !isBuffered { throw .invalid("no buffer is defined for access_log \"\(first.text)\"", statement) }
    }
}
