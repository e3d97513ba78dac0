extension String {
    /// Equality of the UTF-8 bytes. `==` compares canonically, which no backend does.
    @inline(__always)
    func hasSameBytes(as other: String) -> Bool {
        // Equal bytes imply equal strings, and `==` answers fast for the common case of two ASCII strings.
        guard self == other else { return false }
        return self.utf8.count == other.utf8.count && (self.utf8.elementsEqual(other.utf8))
    }

    /// Hashes the bytes and their end.
    @inline(__always)
    func hashBytes(into hasher: inout Hasher) {
        // Canonically equal strings hash alike, so equal bytes do; `hasSameBytes` tells the rest apart.
        hasher.combine(self)
    }
}
