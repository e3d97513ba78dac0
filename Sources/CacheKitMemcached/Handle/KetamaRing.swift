import CScaleMemcached
import ScaleCore

/// Which server a key belongs to: libmemcached's ketama, to the bit, so that all clients that use it agree.
///
/// **libmemcached never reads a byte of a server here; ``ServerConnection`` does.** Version 1.1.4 as Debian builds it, with assertions, ends
/// the process on replies that are well-formed and wrong. Each reply below was given to each command (measured, with a scripted server):
///
/// - `set`, `add`, `cas`: a number (`9`), `VALUE` with an item, `VERSION 1.2.3`, `STAT a b`, `ITEM x`, `DELETED`, `TOUCHED`, `OK`, `END` —
///   in short all that is a success of any other command — fail `memcached_failed(rc)` in `memcached_send_ascii`: SIGABRT;
/// - every command, `gets` and `delete` too: `VERSION` without a version is SIGSEGV;
/// - `gets`: a key longer than 251 bytes is written beyond its field, and a failure without an item before it is told as "not found".
///
/// The check cannot be put in front of it. The library gives no access to its sockets, and a peek would not do: a multi-get's reply may be
/// longer than any receive buffer. A relay between the two has to understand every reply, hence do the whole work, and costs each byte
/// two more copies and a change of threads. So the replies are read by engines of our own (``ItemsReply``, ``StoreCommand``), which take
/// what the command may get and nothing else.
///
/// A handle of the library may be used by one thread at a time. It holds no socket: without a command it opens none.
final class KetamaRing {
    private let handle: UnsafeMutablePointer<memcached_st>?

    init(_ servers: [ServiceURL.Host]) {
        self.handle = memcached_create(nil)
        guard let handle = self.handle else { return }
        memcached_behavior_set(handle, MEMCACHED_BEHAVIOR_KETAMA, 1)
        // An ejected server that returned would bring back what was invalidated in the meantime.
        memcached_behavior_set(handle, MEMCACHED_BEHAVIOR_AUTO_EJECT_HOSTS, 0)
        for server in servers { memcached_server_add(handle, server.name, in_port_t(clamping: server.port ?? 11211)) }
    }

    deinit {
        memcached_free(self.handle)
    }

    /// The position of the name's server in the list.
    ///
    /// - Complexity: O(log n) for n servers.
    func server(of name: String) -> Int {
        guard let handle = self.handle else { return 0 }
        var name = name
        return name.withUTF8 { bytes in
            bytes.withMemoryRebound(to: CChar.self) { Int(memcached_generate_hash(handle, $0.baseAddress, $0.count)) }
        }
    }
}
