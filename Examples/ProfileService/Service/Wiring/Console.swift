import Foundation

/// What the program tells its user, on standard output. Written at once, also into a pipe or file.
enum Console {
    static func say(_ text: String) {
        FileHandle.standardOutput.write(Data((text + "\n").utf8))
    }
}
