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
        let (bytes, others) = (self.utf8, other.utf8)
        guard bytes.count == others.count else { return false }
        // By the iterators of the views it would cost a third of a hit in memory.
        let isSame = bytes.withContiguousStorageIfAvailable { left in
            others.withContiguousStorageIfAvailable { right in
                guard let first = left.baseAddress, let second = right.baseAddress else { return left.isEmpty }
                return areSameBytes(first, second, left.count)
            }
        }
        return (isSame ?? nil) ?? bytes.elementsEqual(others)
    }

    /// Hashes the bytes and their end.
    @inlinable @inline(__always)
    package func hashBytes(into hasher: inout Hasher) {
        // Canonically equal strings hash alike, so equal bytes do; `hasSameBytes` tells the rest apart.
        hasher.combine(self)
    }
}

/// Not inlinable, and so the only one that needs to know the C library.
@usableFromInline package func areSameBytes(_ first: UnsafePointer<UInt8>, _ second: UnsafePointer<UInt8>, _ count: Int) -> Bool {
    memcmp(first, second, count) == 0
}
