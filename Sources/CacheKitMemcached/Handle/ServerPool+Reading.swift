import CScaleMemcached
import CacheKit

/// Multi-get.
///
/// libmemcached's closing word on a multi-get cannot be trusted: of several servers only one is told, and a time-out, a refusal or a broken
/// line is told as "not found" when no item came before it. A key counts as absent only where its server's answer is known to be complete:
/// no error is noted at the server, nothing of its answer is outstanding, and the closing word is that all has been read.
extension ServerPool {
    /// What became of a question to one server.
    struct ServerFailure {
        var server: Int
        var status: memcached_return_t
    }

    /// The items at `names` on their servers: the outcome for each, and each server that failed.
    func multiGet(
        _ names: [String], servers: [Int]
    ) throws(CacheError) -> (outcomes: [Result<StoredItem?, CacheError>], failures: [ServerFailure]) {
        try self.withHandle { handle throws(CacheError) in
            var answer = self.ask(handle, names)
            if answer.isFromOthers { answer.items = Array(repeating: nil, count: names.count) }
            var statuses: [Int: memcached_return_t] = [:]
            for server in Set(servers) { statuses[server] = self.status(of: server, handle, answer) }
            let outcomes = zip(servers, answer.items).map { server, item -> Result<StoredItem?, CacheError> in
                if let item { return .success(item) }
                guard let status = statuses[server] else { return .success(nil) }
                return .failure(.memcached(status, at: self.name(of: server)))
            }
            return (outcomes, statuses.map { ServerFailure(server: $0.key, status: $0.value) })
        }
    }

    /// The server's number in the ring.
    func server(of name: String) throws(CacheError) -> Int {
        try self.withHandle { handle in
            var name = name
            return name.withUTF8 { bytes in
                bytes.withMemoryRebound(to: CChar.self) { Int(memcached_generate_hash(handle, $0.baseAddress, $0.count)) }
            }
        }
    }

    // MARK: One question

    private struct Answer {
        var items: [StoredItem?]
        /// The closing word.
        var end: memcached_return_t
        /// Something came that was not asked for, or twice: the stream is out of step, and nothing of it is believed.
        var isFromOthers = false
    }

    private func ask(_ handle: UnsafeMutablePointer<memcached_st>, _ names: [String]) -> Answer {
        var answer = Answer(items: Array(repeating: nil, count: names.count), end: MEMCACHED_SUCCESS)
        let sent = Self.withKeys(names) { keys, lengths in memcached_mget(handle, keys, lengths, names.count) }
        guard sent == MEMCACHED_SUCCESS || sent == MEMCACHED_SOME_ERRORS else {
            answer.end = sent
            return answer
        }
        let result = self.emptyResult(handle)
        let positions = Dictionary(zip(names, names.indices)) { first, _ in first }
        while true {
            // With no item counted, the library would tell every failure as "not found".
            result.pointee.count = 1
            guard let item = memcached_fetch_result(handle, result, &answer.end) else { break }
            guard let position = Self.key(of: item).flatMap({ positions[$0] }), answer.items[position] == nil,
                let value = Self.item(of: item)
            else {
                answer.isFromOthers = true
                answer.end = MEMCACHED_PROTOCOL_ERROR
                break
            }
            answer.items[position] = value
        }
        if sent == MEMCACHED_SOME_ERRORS, answer.end.leavesConnectionUsable { answer.end = sent }
        return answer
    }

    /// What the server's part of an answer suffers from; `nil` when it is complete.
    private func status(of server: Int, _ handle: UnsafeMutablePointer<memcached_st>, _ answer: Answer) -> memcached_return_t? {
        if answer.isFromOthers { return answer.end }
        guard let instance = memcached_server_instance_by_position(handle, UInt32(clamping: server)) else { return MEMCACHED_NO_SERVERS }
        let noted = memcached_server_error_return(instance)
        if noted != MEMCACHED_SUCCESS { return noted }
        if memcached_server_response_count(instance) > 0 { return MEMCACHED_TIMEOUT }
        switch answer.end {
        case MEMCACHED_SUCCESS, MEMCACHED_END, MEMCACHED_NOTFOUND: return nil
        // These are noted at the server that they are of, and the others were read to their end or have something outstanding.
        case MEMCACHED_CONNECTION_FAILURE where self.anyServerHasError(handle): return nil
        case MEMCACHED_TIMEOUT where self.anyServerHasError(handle): return nil
        default: return answer.end
        }
    }

    private func anyServerHasError(_ handle: UnsafeMutablePointer<memcached_st>) -> Bool {
        (0..<memcached_server_count(handle)).contains { position in
            memcached_server_instance_by_position(handle, position).map { memcached_server_error_return($0) != MEMCACHED_SUCCESS } ?? false
        }
    }

    // MARK: Bytes

    private static func key(of item: UnsafeMutablePointer<memcached_result_st>) -> String? {
        let length = memcached_result_key_length(item)
        guard (1...WireName.maximumLength).contains(length), let start = memcached_result_key_value(item) else { return nil }
        return String(validating: UnsafeBufferPointer(start: start, count: length), as: UTF8.self)
    }

    /// `nil` for a length that is none: the library takes `-1` for a huge one.
    private static func item(of item: UnsafeMutablePointer<memcached_result_st>) -> StoredItem? {
        let length = memcached_result_length(item)
        guard length >= 0 else { return nil }
        let value = UnsafeRawBufferPointer(start: memcached_result_value(item), count: length)
        return StoredItem(bytes: Array(value), flags: memcached_result_flags(item), number: memcached_result_cas(item))
    }

    /// The names in the form that the library takes.
    private static func withKeys<Result>(
        _ names: [String], _ body: (UnsafePointer<UnsafePointer<CChar>?>?, UnsafePointer<Int>?) -> Result
    ) -> Result {
        let lengths = names.map(\.utf8.count)
        var text = names.joined()
        return text.withUTF8 { bytes in
            bytes.withMemoryRebound(to: CChar.self) { characters in
                var keys: [UnsafePointer<CChar>?] = []
                var offset = 0
                for length in lengths {
                    keys.append(characters.baseAddress.map { $0 + offset })
                    offset += length
                }
                return body(keys, lengths)
            }
        }
    }
}
