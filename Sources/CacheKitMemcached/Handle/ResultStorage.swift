import CScaleMemcached

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#elseif canImport(Darwin)
import Darwin
#endif

/// The memory to which libmemcached reads an item, with room behind it.
///
/// The library copies an item's key from a line of up to 350 bytes into a field of 251 bytes without looking at its length. The field is the
/// last but one of the result; what a broken server sends beyond it goes into the room behind, and over the mark that tells whether
/// the library is to free the result. So frees of this memory are ignored.
struct ResultStorage {
    private let result: UnsafeMutablePointer<memcached_result_st>

    init() {
        let size = MemoryLayout<memcached_result_st>.size + 512
        let memory = UnsafeMutableRawPointer.allocate(byteCount: size, alignment: MemoryLayout<memcached_result_st>.alignment)
        memory.initializeMemory(as: UInt8.self, repeating: 0, count: size)
        self.result = memory.assumingMemoryBound(to: memcached_result_st.self)
    }

    func deallocate() {
        UnsafeMutableRawPointer(self.result).deallocate()
    }

    /// Makes the handle use the system's allocator, but never free this memory.
    func protect(_ handle: UnsafeMutablePointer<memcached_st>) {
        memcached_set_memory_allocators(
            handle,
            { _, size, _ in malloc(size) },
            { _, memory, kept in if memory != kept { free(memory) } },
            { _, memory, size, _ in realloc(memory, size) },
            { _, count, size, _ in calloc(count, size) },
            self.result)
    }

    func empty(_ handle: UnsafeMutablePointer<memcached_st>) -> UnsafeMutablePointer<memcached_result_st> {
        self.discard()
        return memcached_result_create(handle, self.result) ?? self.result
    }

    /// Frees the value that the result holds. The handle must still be there.
    func discard() {
        guard self.result.pointee.root != nil else { return }
        memcached_result_free(self.result)
        self.result.pointee.root = nil
    }
}
