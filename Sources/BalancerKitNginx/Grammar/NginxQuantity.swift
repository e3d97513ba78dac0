/// Sizes, times, numbers and switches as nginx reads them (`ngx_parse.c`, `ngx_string.c`). Nil is what nginx refuses.
enum NginxQuantity {
    /// Decimal digits alone, within 63 bits.
    static func number(_ bytes: some Collection<UInt8>) -> Int? {
        guard !bytes.isEmpty else { return nil }
        var value = 0
        for byte in bytes {
            guard let digit = Self.digit(byte), let next = Self.appending(digit, to: value) else { return nil }
            value = next
        }
        return value
    }

    /// Bytes, with `k` or `m` (1024 each); where offsets are meant also `g`.
    static func size(_ bytes: [UInt8], allowsGiga: Bool) -> Int? {
        guard let last = bytes.last else { return nil }
        let shift: Int? =
            switch last {
            case UInt8(ascii: "k"), UInt8(ascii: "K"): 10
            case UInt8(ascii: "m"), UInt8(ascii: "M"): 20
            case UInt8(ascii: "g"), UInt8(ascii: "G"): allowsGiga ? 30 : nil
            default: 0
            }
        guard let shift, let value = Self.number(shift == 0 ? bytes[...] : bytes.dropLast()) else { return nil }
        let (product, overflow) = value.multipliedReportingOverflow(by: 1 << shift)
        return overflow ? nil : product
    }

    /// What a time is counted in: it decides which units it may have.
    enum TimeUnit { case seconds, milliseconds }

    /// `1h 30m`: units in descending order, each at most once; a number without one is seconds.
    static func time(_ bytes: [UInt8], in unit: TimeUnit) -> Int? {
        var reader = TimeReader(unit)
        return reader.read(bytes)
    }

    /// `on` or `off`, in any case.
    static func flag(_ bytes: [UInt8]) -> Bool? {
        switch String(decoding: bytes, as: UTF8.self).lowercased() {
        case "on": true
        case "off": false
        default: nil
        }
    }

    fileprivate static func digit(_ byte: UInt8) -> Int? {
        (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) ? Int(byte - UInt8(ascii: "0")) : nil
    }

    fileprivate static func appending(_ digit: Int, to value: Int) -> Int? {
        let (tens, tooMany) = value.multipliedReportingOverflow(by: 10)
        let (sum, overflow) = tens.addingReportingOverflow(digit)
        return tooMany || overflow ? nil : sum
    }
}

/// Reads one time; remembers the last unit, since the next one must be smaller.
private struct TimeReader {
    private enum Step: Int { case start, year, month, week, day, hour, minute, second, millisecond, last }

    private let unit: NginxQuantity.TimeUnit
    private var step: Step
    private var total = 0
    private var value = 0

    init(_ unit: NginxQuantity.TimeUnit) {
        self.unit = unit
        self.step = unit == .seconds ? .start : .month
    }

    mutating func read(_ bytes: [UInt8]) -> Int? {
        var hasDigits = false
        var index = 0
        while index < bytes.count {
            let byte = bytes[index]
            index += 1
            if let digit = NginxQuantity.digit(byte) {
                guard let next = NginxQuantity.appending(digit, to: self.value) else { return nil }
                self.value = next
                hasDigits = true
                continue
            }
            let isMilliseconds = byte == UInt8(ascii: "m") && index < bytes.count && bytes[index] == UInt8(ascii: "s")
            if isMilliseconds { index += 1 }
            guard self.add(unit: byte, isMilliseconds: isMilliseconds) else { return nil }
            while index < bytes.count, bytes[index] == .space { index += 1 }
        }
        guard hasDigits, self.add(seconds: 1) else { return nil }
        return self.total
    }

    private mutating func add(unit byte: UInt8, isMilliseconds: Bool) -> Bool {
        if isMilliseconds { return self.unit == .milliseconds && self.enter(.millisecond) && self.add(1) }
        return switch byte {
        case UInt8(ascii: "y"): self.enter(.year) && self.add(seconds: 365 * 86_400)
        case UInt8(ascii: "M"): self.enter(.month) && self.add(seconds: 30 * 86_400)
        case UInt8(ascii: "w"): self.enter(.week) && self.add(seconds: 7 * 86_400)
        case UInt8(ascii: "d"): self.enter(.day) && self.add(seconds: 86_400)
        case UInt8(ascii: "h"): self.enter(.hour) && self.add(seconds: 3_600)
        case UInt8(ascii: "m"): self.enter(.minute) && self.add(seconds: 60)
        case UInt8(ascii: "s"): self.enter(.second) && self.add(seconds: 1)
        case .space where self.step.rawValue < Step.second.rawValue: self.enter(.last) && self.add(seconds: 1)
        default: false
        }
    }

    private mutating func enter(_ step: Step) -> Bool {
        guard self.step.rawValue < step.rawValue else { return false }
        self.step = step
        return true
    }

    private mutating func add(seconds: Int) -> Bool {
        self.add(self.unit == .seconds ? seconds : seconds * 1000)
    }

    private mutating func add(_ scale: Int) -> Bool {
        let (product, tooLarge) = self.value.multipliedReportingOverflow(by: scale)
        let (sum, overflow) = self.total.addingReportingOverflow(product)
        self.total = sum
        self.value = 0
        return !tooLarge && !overflow
    }
}
