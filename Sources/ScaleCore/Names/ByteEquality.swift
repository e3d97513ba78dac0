#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#elseif canImport(Darwin)
import Darwin
#endif

extension String {
    /// Equality of the UTF-8 bytes. `==` compares canonically, which no backend does.
    @inlinable @inline(__always)
    package func hasSameBytes(as other: String) -> Bool {
        // Most names that differ do so in length already.
        guard self.utf8.count == other.utf8.count else { return false }
        // By the iterators of the views it would cost a third of a hit in memory, and by pointers to their storage a quarter.
        if #available(macOS 26, iOS 26, tvOS 26, watchOS 26, visionOS 26, *) {
            let (bytes, others) = (self.utf8.span, other.utf8.span)
            return bytes.withUnsafeBufferPointer { left in others.withUnsafeBufferPointer { right in areSameBytes(left, right) } }
        }
        return self.utf8.elementsEqual(other.utf8)
    }

    /// Hashes the bytes and their end.
    @inlinable @inline(__always)
    package func hashBytes(into hasher: inout Hasher) {
        // Canonically equal strings hash alike, so equal bytes do; `hasSameBytes` tells the rest apart.
        hasher.combine(self)
    }
}

/// Of two buffers of one length. Not inlinable, and so the only one that needs to know the C library.
@usableFromInline func areSameBytes(_ left: UnsafeBufferPointer<UInt8>, _ right: UnsafeBufferPointer<UInt8>) -> Bool {
    guard let first = left.baseAddress, let second = right.baseAddress else { return true }
    return memcmp(first, second, left.count) == 0
}
