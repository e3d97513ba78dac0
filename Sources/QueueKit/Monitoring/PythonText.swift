/// Values as Python's `repr` would show them, which is what Celery's watchers expect to see.
enum PythonText {
    /// At most about `limit` bytes; what is longer ends with dots. Time and memory are linear in the limit, whatever the value's size.
    static func repr(_ value: JSONValue, limit: Int = 1024) -> String {
        var writer = Writer(limit: max(0, limit))
        writer.write(value, depth: 0)
        return writer.isFull ? writer.text + "..." : writer.text
    }

    /// The same for a string.
    static func repr(_ text: String, limit: Int = 1024) -> String {
        self.repr(.string(text), limit: limit)
    }

    private struct Writer {
        let limit: Int
        var text = ""
        var isFull = false

        private mutating func put(_ piece: String) {
            guard !self.isFull else { return }
            self.text += piece
            if self.text.utf8.count > self.limit { self.isFull = true }
        }

        mutating func write(_ value: JSONValue, depth: Int) {
            guard !self.isFull else { return }
            switch value {
            case .null: self.put("None")
            case .bool(let value): self.put(value ? "True" : "False")
            case .integer(let value): self.put(String(value))
            case .bigInteger(let digits): self.put(String(digits.prefix(self.limit)))
            case .double(let value): self.put(value.isNaN ? "nan" : value.isInfinite ? (value < 0 ? "-inf" : "inf") : value.description)
            case .string(let value): self.quote(value)
            case .array(let values):
                self.put("[")
                for (index, value) in values.enumerated() where self.goesOn(depth) {
                    if index > 0 { self.put(", ") }
                    self.write(value, depth: depth + 1)
                    if self.isFull { return }
                }
                self.put("]")
            case .object(let object):
                self.put("{")
                for (index, entry) in object.enumerated() where self.goesOn(depth) {
                    if index > 0 { self.put(", ") }
                    self.quote(entry.key)
                    self.put(": ")
                    self.write(entry.value, depth: depth + 1)
                    if self.isFull { return }
                }
                self.put("}")
            }
        }

        /// Deeper than this nobody reads, and each level costs stack.
        private mutating func goesOn(_ depth: Int) -> Bool {
            if depth < 32 { return true }
            self.isFull = true
            return false
        }

        private mutating func quote(_ string: String) {
            let quote: Unicode.Scalar = string.utf8.contains(UInt8(ascii: "'")) && !string.utf8.contains(UInt8(ascii: "\"")) ? "\"" : "'"
            self.put(String(quote))
            for scalar in string.unicodeScalars {
                if self.isFull { return }
                switch scalar {
                case quote, "\\": self.put("\\\(scalar)")
                case "\n": self.put("\\n")
                case "\r": self.put("\\r")
                case "\t": self.put("\\t")
                default:
                    if scalar.value < 0x20 || scalar.value == 0x7F {
                        let digits = String(scalar.value, radix: 16)
                        self.put("\\x" + (digits.utf8.count < 2 ? "0" : "") + digits)
                    } else {
                        self.put(String(scalar))
                    }
                }
            }
            self.put(String(quote))
        }
    }
}
