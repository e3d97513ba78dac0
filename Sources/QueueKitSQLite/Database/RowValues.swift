#if SQLite
internal import Foundation
internal import GRDB

/// Columns of a row as they are, and not as they should be.
///
/// SQLite keeps any type in any column, and GRDB's typed access traps on one that it cannot convert. A file may be damaged or edited: what
/// is of another type counts as missing.
extension Row {
    func integer(_ column: String) -> Int64 {
        (self[column] as (any DatabaseValueConvertible)?) as? Int64 ?? 0
    }

    func text(_ column: String) -> String? {
        (self[column] as (any DatabaseValueConvertible)?) as? String
    }

    func bytes(_ column: String) -> [UInt8] {
        switch self[column] as (any DatabaseValueConvertible)? {
        case let data as Data: [UInt8](data)
        case let text as String: Array(text.utf8)
        default: []
        }
    }
}

extension [UInt8] {
    /// These bytes as GRDB binds them.
    var data: Data { Data(self) }
}
#endif
