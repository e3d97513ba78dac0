import Foundation
import ScaleCore

/// Text for terminals and for programs that read lines.
public enum PlainText {
    private static let longestCell = 500

    /// Columns, each as wide as its widest cell. What came from elsewhere cannot add a line or move the cursor.
    public static func table(_ rows: [[String]]) -> String {
        let rows = rows.map { $0.map(Self.line) }
        let columns = rows.map(\.count).max() ?? 0
        let widths = (0..<columns).map { column in rows.map { column < $0.count ? $0[column].count : 0 }.max() ?? 0 }
        return rows.map { row in
            row.enumerated().map { column, cell in
                column == row.count - 1 ? cell : cell + String(repeating: " ", count: widths[column] - cell.count + 2)
            }.joined()
        }.joined(separator: "\n")
    }

    /// One line of at most 500 characters, without control characters.
    public static func line(_ text: String) -> String {
        let plain = text.unicodeScalars.map { scalar -> Character in
            switch scalar.properties.generalCategory {
            case .control, .format, .lineSeparator, .paragraphSeparator, .surrogate: "\u{FFFD}"
            default: Character(scalar)
            }
        }
        let line = String(plain)
        return line.count > Self.longestCell ? line.prefix(Self.longestCell) + "…" : line
    }

    /// A value as one line of JSON, keys in order.
    public static func json(_ value: some Encodable) -> String {
        String(decoding: (try? JSONBytes.encode(value)) ?? [], as: UTF8.self)
    }

    static func time(_ time: UTCTime) -> String {
        Date(timeIntervalSince1970: Double(time.millisecondsSinceEpoch) / 1000).formatted(.iso8601)
    }
}
