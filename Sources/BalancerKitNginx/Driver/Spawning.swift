import Foundation

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#elseif canImport(Darwin)
import Darwin
#endif

/// Starts processes by `posix_spawn`.
///
/// Not by Foundation's `Process`: on Linux it looks through this process's open files by copies of 256 bytes of each entry of
/// `/proc/self/fd`, the last of which lie beyond what was read, and with more than about 1,350 open files that may end the process. A proxy
/// has as many.
enum Spawning {
    struct Failure: Error {
        /// `errno`.
        let number: Int32
    }

    #if canImport(Darwin)
    private typealias Actions = posix_spawn_file_actions_t?
    private typealias Attributes = posix_spawnattr_t?
    #else
    private typealias Actions = posix_spawn_file_actions_t
    private typealias Attributes = posix_spawnattr_t
    #endif

    /// Starts a program and returns its id.
    ///
    /// - Parameters:
    ///   - environment: nil for this process's.
    ///   - input: an open file; nil for none.
    ///   - output: the file that standard output is written to, anew; nil for none.
    ///   - errors: the same for standard error. It may be the same file.
    static func start(
        _ executable: String, _ arguments: [String], environment: [String: String]? = nil, input: Int32? = nil, output: String? = nil,
        errors: String? = nil
    ) throws(Failure) -> pid_t {
        #if canImport(Darwin)
        var actions: Actions = nil
        var attributes: Attributes = nil
        #else
        var actions = Actions()
        var attributes = Attributes()
        #endif
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        if let input {
            posix_spawn_file_actions_adddup2(&actions, input, 0)
        } else {
            posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
        }
        posix_spawn_file_actions_addopen(&actions, 1, output ?? "/dev/null", O_WRONLY | O_CREAT | O_TRUNC, 0o600)
        if let errors, errors == output {
            posix_spawn_file_actions_adddup2(&actions, 1, 2)
        } else {
            posix_spawn_file_actions_addopen(&actions, 2, errors ?? "/dev/null", O_WRONLY | O_CREAT | O_TRUNC, 0o600)
        }
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        Self.takeNothingOver(&actions, &attributes)

        var process = pid_t()
        let environment = (environment ?? ProcessInfo.processInfo.environment).map { "\($0)=\($1)" }
        let number = Self.withCStrings([executable] + arguments) { arguments in
            Self.withCStrings(environment) { environment in
                posix_spawn(&process, executable, &actions, &attributes, arguments, environment)
            }
        }
        guard number == 0 else { throw Failure(number: number) }
        return process
    }

    /// Blocks the thread until a child has ended, and leaves its id to it until ``reap(_:)``.
    static func waitForEnd(of process: pid_t) {
        var information = siginfo_t()
        while waitid(P_PID, id_t(process), &information, WEXITED | WNOWAIT) == -1, errno == EINTR {}
    }

    /// The exit status of a child that has ended, or the number of the signal that ended it. Its id may then be another's.
    static func reap(_ process: pid_t) -> Int32 {
        var status: Int32 = 0
        // Where somebody else has reaped it there is no status.
        guard waitpid(process, &status, 0) == process else { return -1 }
        let signal = status & 0x7F
        return signal == 0 ? (status >> 8) & 0xFF : signal
    }

    /// A child would inherit the signals that its parent's thread blocks, of which the threads of tasks block SIGTERM, those that it
    /// ignores, and files that are not closed by themselves.
    private static func takeNothingOver(_ actions: inout Actions, _ attributes: inout Attributes) {
        var none = sigset_t()
        var all = sigset_t()
        sigemptyset(&none)
        sigfillset(&all)
        posix_spawnattr_setsigmask(&attributes, &none)
        posix_spawnattr_setsigdefault(&attributes, &all)
        var flags = Int16(POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF)
        #if canImport(Darwin)
        flags |= Int16(POSIX_SPAWN_CLOEXEC_DEFAULT)
        #else
        // Newer than some C libraries are (glibc 2.34): without it, files that close themselves on exec are all that is closed.
        typealias CloseFrom = @convention(c) (UnsafeMutablePointer<posix_spawn_file_actions_t>, Int32) -> Int32
        if let symbol = dlsym(nil, "posix_spawn_file_actions_addclosefrom_np") {
            _ = unsafeBitCast(symbol, to: CloseFrom.self)(&actions, 3)
        }
        #endif
        posix_spawnattr_setflags(&attributes, flags)
    }

    private static func withCStrings<Result>(
        _ texts: [String], _ body: ([UnsafeMutablePointer<CChar>?]) -> Result
    ) -> Result {
        let pointers = texts.map { strdup($0) } + [nil]
        defer { for pointer in pointers { free(pointer) } }
        return body(pointers)
    }
}
