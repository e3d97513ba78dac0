#if SQLite
internal import Foundation
internal import GRDB

extension [UInt8] {
    /// These bytes as GRDB binds them.
    var data: Data { Data(self) }

    init(data: Data?) {
        self = data.map { [UInt8]($0) } ?? []
    }
}
#endif
