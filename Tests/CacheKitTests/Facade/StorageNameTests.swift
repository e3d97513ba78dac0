import CacheKit
import Testing

/// How keys are spelled in a store that has one flat space of names.
@Suite struct StorageNameTests {
    private func name(_ namespace: String, _ name: String, _ limit: Int = 250) -> String {
        StorageName.of(CacheKey(namespace: namespace, name: name), maximumLength: limit)
    }

    @Test func `a short key is spelled as it is`() {
        #expect(self.name("profiles", "user 7") == "profiles:v:user 7")
        #expect(self.name("", "") == ":v:")
        #expect(self.name("a:b%", "c:d%") == "a%3Ab%25:v:c:d%")
        #expect(StorageName.of(CacheTag(namespace: "n", name: "t"), maximumLength: 250) == "n:t:t")
        #expect(StorageName.ofSequence(namespace: "n", maximumLength: 250) == "n:s:")
    }

    @Test(arguments: [0, 160, 161, 250, 1_024]) func `no spelling is longer than the limit, and no two keys share one`(limit: Int) {
        let lengths = [0, 1, 90, 91, 92, 93, 150, 159, 160, 161, 240, 250, 251, 1_000, 5_000]
        var seen: [String: (String, String)] = [:]
        for namespaceLength in lengths {
            for nameLength in lengths {
                for (space, name) in [("n", "k"), (":", "k"), ("n", "é"), ("%~", ":")] {
                    let namespace = String(repeating: space, count: namespaceLength)
                    let key = String(repeating: name, count: nameLength)
                    let spelled = self.name(namespace, key, limit)
                    #expect(spelled.utf8.count <= max(limit, 160))
                    if let (otherSpace, otherName) = seen[spelled] {
                        #expect(otherSpace == namespace && otherName == key, "\(spelled) stands for two keys")
                    }
                    seen[spelled] = (namespace, key)
                }
            }
        }
    }

    @Test func `long names with one beginning are told apart, and a digest is not taken for a name`() {
        let long = String(repeating: "x", count: 300)
        let hashed = self.name("n", long + "1")
        #expect(hashed != self.name("n", long + "2"))
        #expect(hashed.hasPrefix("n:h:"))
        #expect(self.name("n", String(hashed.dropFirst(4))) != hashed)
        #expect(StorageName.of(CacheTag(namespace: "n", name: long), maximumLength: 250).hasPrefix("n:u:"))
    }

    @Test func `canonically equal strings are different keys`() {
        #expect(CacheKey(namespace: "", name: "\u{E9}") != CacheKey(namespace: "", name: "e\u{301}"))
        #expect(CacheTag(namespace: "\u{E9}", name: "") != CacheTag(namespace: "e\u{301}", name: ""))
        #expect(Set([CacheKey(namespace: "", name: "\u{E9}"), CacheKey(namespace: "", name: "e\u{301}")]).count == 2)
    }
}
