#if canImport(Glibc)
internal import Glibc
#elseif canImport(Musl)
internal import Musl
#elseif canImport(Darwin)
internal import Darwin
#endif

/// What the system says of this process and its machine at a moment.
struct ProcessSample: Hashable, Sendable {
    /// The load of the machine over 1, 5 and 15 minutes.
    var load: [Double] = [0, 0, 0]
    /// Hours west of UTC by local time, as Python's `time.timezone` counts; watchers shift times by the difference to their own.
    var hoursWestOfUTC = 0.0
    /// Resources that the process has used, by the names of `getrusage`.
    var usage: JSONObject = [:]

    /// What events of jobs need, at less cost.
    static func zone() -> ProcessSample {
        var sample = ProcessSample()
        var seconds = time(nil)
        var local = tm()
        if localtime_r(&seconds, &local) != nil { sample.hoursWestOfUTC = -Double(local.tm_gmtoff) / 3600 }
        return sample
    }

    static func now() -> ProcessSample {
        var sample = ProcessSample.zone()
        var load = [0.0, 0, 0]
        if getloadavg(&load, 3) == 3 { sample.load = load }
        sample.usage = Self.usage()
        return sample
    }

    private static func usage() -> JSONObject {
        var usage = rusage()
        // 0 is `RUSAGE_SELF`, whose type differs between the systems' headers.
        guard getrusage(0, &usage) == 0 else { return [:] }
        return [
            "utime": .double(Self.seconds(usage.ru_utime)), "stime": .double(Self.seconds(usage.ru_stime)),
            "maxrss": .integer(Int64(usage.ru_maxrss)), "minflt": .integer(Int64(usage.ru_minflt)),
            "majflt": .integer(Int64(usage.ru_majflt)), "inblock": .integer(Int64(usage.ru_inblock)),
            "oublock": .integer(Int64(usage.ru_oublock)), "nvcsw": .integer(Int64(usage.ru_nvcsw)),
            "nivcsw": .integer(Int64(usage.ru_nivcsw)),
        ]
    }

    /// By its bytes: in release builds the compiler takes the names of its fields for those of a module that cannot be imported. Microseconds
    /// have 32 bits on some systems, and the low half of 64 on others.
    private static func seconds(_ time: timeval) -> Double {
        withUnsafeBytes(of: time) { bytes in
            Double(bytes.loadUnaligned(as: Int.self))
                + Double(Int32(littleEndian: bytes.loadUnaligned(fromByteOffset: MemoryLayout<Int>.size, as: Int32.self))) / 1e6
        }
    }

    static var processID: Int64 { Int64(getpid()) }

    /// The machine's name.
    static var hostName: String {
        var bytes = [CChar](repeating: 0, count: 256)
        guard gethostname(&bytes, bytes.count - 1) == 0 else { return "localhost" }
        let name = String(decoding: bytes.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
        return name.isEmpty ? "localhost" : name
    }

    static var systemName: String {
        #if os(Linux)
        "Linux"
        #else
        "Darwin"
        #endif
    }
}
