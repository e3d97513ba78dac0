/// The variables that an argument mentions: `$name`, `${name}`, `$1` (`ngx_http_script_compile`).
enum VariableNames {
    static func inside(_ bytes: [UInt8], at place: NginxPlace) throws(NginxError) -> [String] {
        var names: [String] = []
        var index = 0
        while index < bytes.count {
            defer { index += 1 }
            guard bytes[index] == .dollar else { continue }
            index += 1
            let isBracketed = index < bytes.count && bytes[index] == .openBrace
            if isBracketed { index += 1 }
            let start = index
            while index < bytes.count, Self.isNameByte(bytes[index]) { index += 1 }
            let name = String(decoding: bytes[start..<index], as: UTF8.self)
            if isBracketed, index >= bytes.count || bytes[index] != .closeBrace {
                throw NginxError(
                    code: .invalidValue, message: "the closing bracket in \"\(name)\" variable is missing", place: place)
            }
            guard !name.isEmpty else { throw NginxError(code: .invalidValue, message: "invalid variable name", place: place) }
            names.append(name)
            if !isBracketed { index -= 1 }
        }
        return names
    }

    private static func isNameByte(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "0")...UInt8(ascii: "9"): true
        case UInt8(ascii: "_"): true
        default: false
        }
    }
}
