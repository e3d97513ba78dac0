import ScaleCore

/// Where each entry is: a dictionary per namespace, so that finding an entry hashes and compares its name and nothing else.
///
/// All operations are O(1).
struct SlotIndex {
    /// By the namespace's number, which counts from zero.
    private var names: ContiguousArray<[EntryName: Int]> = []

    /// How many entries there are, in all namespaces.
    private(set) var count = 0

    subscript(key: EntryKey) -> Int? {
        @inline(__always) get {
            let space = Int(key.space)
            return space < self.names.count ? self.names[space][EntryName(key.name)] : nil
        }
        set {
            let space = Int(key.space)
            while self.names.count <= space { self.names.append([:]) }
            let old =
                if let newValue { self.names[space].updateValue(newValue, forKey: EntryName(key.name)) } else {
                    self.names[space].removeValue(forKey: EntryName(key.name))
                }
            self.count += (newValue == nil ? 0 : 1) - (old == nil ? 0 : 1)
        }
    }
}

/// An ``ExactName`` of this module: another module's initializer is called, and keeps a copy of the name, in each hit.
private struct EntryName: Hashable {
    let text: String

    @inline(__always)
    init(_ text: String) {
        self.text = text
    }

    @inline(__always)
    static func == (left: EntryName, right: EntryName) -> Bool {
        left.text.hasSameBytes(as: right.text)
    }

    @inline(__always)
    func hash(into hasher: inout Hasher) {
        self.text.hashBytes(into: &hasher)
    }
}
