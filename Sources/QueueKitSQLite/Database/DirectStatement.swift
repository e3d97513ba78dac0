#if SQLite
internal import GRDB
internal import GRDBSQLite
internal import QueueKit

/// What is bound to a statement's parameter.
enum Binding {
    case integer(Int64)
    case optionalInteger(Int64?)
    case text(String)
    case optionalText(String?)
    /// Text that is there as its bytes.
    case utf8([UInt8])
    case bytes([UInt8])
}

/// The columns of the row at which a statement stands, by their place, as they are and not as they should be.
///
/// SQLite keeps any type in any column. A file may be damaged or edited: what is of another type counts as missing.
struct Columns {
    fileprivate let statement: OpaquePointer

    func isNull(_ index: Int32) -> Bool {
        sqlite3_column_type(self.statement, index) == SQLITE_NULL
    }

    func integer(_ index: Int32) -> Int64 {
        sqlite3_column_type(self.statement, index) == SQLITE_INTEGER ? sqlite3_column_int64(self.statement, index) : 0
    }

    func text(_ index: Int32) -> String? {
        guard sqlite3_column_type(self.statement, index) == SQLITE_TEXT else { return nil }
        return String(decoding: self.buffer(index), as: UTF8.self)
    }

    /// Text or a blob.
    func bytes(_ index: Int32) -> [UInt8] {
        switch sqlite3_column_type(self.statement, index) {
        case SQLITE_TEXT, SQLITE_BLOB: Array(self.buffer(index))
        default: []
        }
    }

    private func buffer(_ index: Int32) -> UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(start: sqlite3_column_blob(self.statement, index), count: Int(sqlite3_column_bytes(self.statement, index)))
    }
}

/// The queue's statements, bound and stepped by hand on statements that GRDB keeps prepared.
///
/// Each job costs several of them, and GRDB's arguments, rows and observation cost more than what SQLite does for one. What is left out by
/// that: GRDB's transaction observers learn of these transactions, and not of the single rows of the queue's tables.
extension Database {
    /// Runs a statement that changes rows, and returns how many.
    ///
    /// - Throws: `DatabaseError`; also when there is no transaction (any more): SQLite ends one by itself after some failures, and what
    ///   follows must not be done without the rest.
    @discardableResult func change(_ sql: String, _ bindings: [Binding]) throws -> Int {
        guard self.isInsideTransaction else { throw DatabaseError(resultCode: .SQLITE_ABORT, message: "there is no transaction") }
        try self.step(sql, bindings) { _ in }
        return self.changesCount
    }

    /// As above, for a statement with `RETURNING`.
    func change<Value>(_ sql: String, _ bindings: [Binding], returning read: (Columns) -> Value) throws -> [Value] {
        guard self.isInsideTransaction else { throw DatabaseError(resultCode: .SQLITE_ABORT, message: "there is no transaction") }
        return try self.rows(sql, bindings, read)
    }

    /// What a statement finds.
    func rows<Value>(_ sql: String, _ bindings: [Binding], _ read: (Columns) -> Value) throws -> [Value] {
        var values: [Value] = []
        try self.step(sql, bindings) { values.append(read($0)) }
        return values
    }

    func row<Value>(_ sql: String, _ bindings: [Binding], _ read: (Columns) -> Value) throws -> Value? {
        try self.rows(sql, bindings, read).first
    }

    private func step(_ sql: String, _ bindings: [Binding], _ row: (Columns) -> Void) throws {
        let prepared = try self.cachedStatement(sql: sql)
        let statement = prepared.sqliteStatement
        try withExtendedLifetime(prepared) {
            // What a statement holds on to, locks among it, it lets go with this.
            defer {
                sqlite3_reset(statement)
                sqlite3_clear_bindings(statement)
            }
            for (index, binding) in bindings.enumerated() {
                let code = Self.bind(binding, to: statement, at: Int32(truncatingIfNeeded: index + 1))
                guard code == SQLITE_OK else { throw self.failure(code) }
            }
            while true {
                switch sqlite3_step(statement) {
                case SQLITE_ROW: row(Columns(statement: statement))
                case SQLITE_DONE: return
                case let code: throw self.failure(code)
                }
            }
        }
    }

    private func failure(_ code: Int32) -> DatabaseError {
        DatabaseError(resultCode: ResultCode(rawValue: code), message: self.lastErrorMessage)
    }

    /// SQLite makes a copy of its own.
    private static let transient = unsafeBitCast(-1, to: sqlite3_destructor_type.self)

    private static func bind(_ binding: Binding, to statement: OpaquePointer, at index: Int32) -> Int32 {
        switch binding {
        case .integer(let value): return sqlite3_bind_int64(statement, index, value)
        case .optionalInteger(let value?): return sqlite3_bind_int64(statement, index, value)
        case .optionalInteger(nil), .optionalText(nil): return sqlite3_bind_null(statement, index)
        case .text(var text), .optionalText(var text?):
            return text.withUTF8 { self.bindText(UnsafeRawBufferPointer($0), to: statement, at: index) }
        case .utf8(let bytes): return bytes.withUnsafeBytes { self.bindText($0, to: statement, at: index) }
        case .bytes(let bytes):
            return bytes.withUnsafeBytes { buffer in
                // A pointer to nothing would be NULL, which is not the blob without bytes.
                guard let base = buffer.baseAddress, buffer.count > 0 else { return sqlite3_bind_zeroblob(statement, index, 0) }
                return sqlite3_bind_blob64(statement, index, base, UInt64(buffer.count), self.transient)
            }
        }
    }

    private static func bindText(_ text: UnsafeRawBufferPointer, to statement: OpaquePointer, at index: Int32) -> Int32 {
        guard let base = text.baseAddress, text.count > 0 else { return sqlite3_bind_text(statement, index, "", 0, self.transient) }
        return sqlite3_bind_text64(
            statement, index, base.assumingMemoryBound(to: CChar.self), UInt64(text.count), self.transient, UInt8(SQLITE_UTF8))
    }
}
#endif
