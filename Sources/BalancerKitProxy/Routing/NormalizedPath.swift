/// A path as its meaning is: escapes decoded once, dot segments resolved, double slashes merged. What routes are compared with.
enum NormalizedPath {
    /// - Parameter path: where the path stands; ``RequestTarget`` has checked its escapes and that it stays below the root.
    static func of(_ bytes: UnsafeRawBufferPointer, _ path: Range<Int>) -> [UInt8] {
        var segments: [[UInt8]] = []
        var segment: [UInt8] = []
        var endsWithSlash = false
        func end(isSlash: Bool) {
            endsWithSlash = isSlash
            switch segment {
            case []: break
            case [UInt8(ascii: ".")]: endsWithSlash = true
            case [UInt8(ascii: "."), UInt8(ascii: ".")]:
                _ = segments.popLast()
                endsWithSlash = true
            default: segments.append(segment)
            }
            segment.removeAll(keepingCapacity: true)
        }
        var index = path.lowerBound
        while index < path.upperBound {
            var byte = bytes[index]
            if byte == UInt8(ascii: "%"), index + 2 < path.upperBound, let high = ByteClass.hexadecimal(bytes[index + 1]),
                let low = ByteClass.hexadecimal(bytes[index + 2])
            {
                byte = high << 4 | low
                index += 2
            }
            index += 1
            if byte == UInt8(ascii: "/") { end(isSlash: true) } else { segment.append(byte) }
        }
        if !segment.isEmpty { end(isSlash: false) }
        var normalized = segments.flatMap { [UInt8(ascii: "/")] + $0 }
        if endsWithSlash || normalized.isEmpty { normalized.append(UInt8(ascii: "/")) }
        return normalized
    }
}
