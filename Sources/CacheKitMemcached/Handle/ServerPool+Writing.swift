import CScaleMemcached
import CacheKit

/// The commands that store and delete.
extension ServerPool {
    enum Command {
        case set, add
        /// Stores if the item is still the one that was read with this number, on this connection.
        case replace(number: UInt64)
    }

    /// What a command to one server answered.
    func store(_ command: Command, _ name: String, _ item: NewItem) throws(CacheError) -> memcached_return_t {
        try self.withHandle { handle in
            Self.withCharacters(name) { key, keyLength in
                item.bytes.withUnsafeBytes { bytes in
                    // An empty array has no address, and the library wants one.
                    Self.withAddress(of: bytes) { value in
                        switch command {
                        case .set: memcached_set(handle, key, keyLength, value, bytes.count, item.expiry, item.flags)
                        case .add: memcached_add(handle, key, keyLength, value, bytes.count, item.expiry, item.flags)
                        case .replace(let number):
                            memcached_cas(handle, key, keyLength, value, bytes.count, item.expiry, item.flags, number)
                        }
                    }
                }
            }
        }
    }

    func delete(_ name: String) throws(CacheError) -> memcached_return_t {
        try self.withHandle { handle in
            Self.withCharacters(name) { key, keyLength in memcached_delete(handle, key, keyLength, 0) }
        }
    }

    private static func withCharacters<Result>(_ name: String, _ body: (UnsafePointer<CChar>?, Int) -> Result) -> Result {
        var name = name
        return name.withUTF8 { bytes in
            bytes.withMemoryRebound(to: CChar.self) { body($0.baseAddress, $0.count) }
        }
    }

    private static func withAddress<Result>(of bytes: UnsafeRawBufferPointer, _ body: (UnsafePointer<CChar>) -> Result) -> Result {
        bytes.withMemoryRebound(to: CChar.self) { characters in
            if let address = characters.baseAddress { return body(address) }
            return withUnsafePointer(to: CChar(0)) { body($0) }
        }
    }
}
