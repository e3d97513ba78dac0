import Foundation

/// Certificates that sign themselves, for a hundred years, with keys that are nobody's secret.
enum TestCertificates {
    /// For `one.example` and 127.0.0.1.
    static let one = Pair(
        chain: """
            -----BEGIN CERTIFICATE-----
            MIIBoTCCAUegAwIBAgIUP6Wl5V5rI2VPy9RwPz25AOkWirowCgYIKoZIzj0EAwIw
            FjEUMBIGA1UEAwwLb25lLmV4YW1wbGUwIBcNMjYxMTI5MjMyOTE3WhgPMjEyNjEx
            MDUyMzI5MTdaMBYxFDASBgNVBAMMC29uZS5leGFtcGxlMFkwEwYHKoZIzj0CAQYI
            KoZIzj0DAQcDQgAE9e6EIsqumVtdBtMQdbm/luekJMVxKeTfZmho9Qf2hupShM2o
            nz/ovDFwV6EtHUCaFTdoCJ3ACLfj8T3oQxnbs6NxMG8wHQYDVR0OBBYEFImkRJ8Q
            t2wdG/9tLY5tnHalDmCzMB8GA1UdIwQYMBaAFImkRJ8Qt2wdG/9tLY5tnHalDmCz
            MA8GA1UdEwEB/wQFMAMBAf8wHAYDVR0RBBUwE4ILb25lLmV4YW1wbGWHBH8AAAEw
            CgYIKoZIzj0EAwIDSAAwRQIgCnBUkHPDZHGA++aJKVN+V/TK0he8Da2cRQP1wDTL
            gfoCIQD78fuMFWKkKTsiKPeIfqNkwen9o6mLf7jgo5wryi3DUg==
            -----END CERTIFICATE-----
            """,
        key: """
            -----BEGIN PRIVATE KEY-----
            MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgJ4oEPUp5N0+X4NRd
            q01ovvhNmBG8rE70THsjS1LDZYmhRANCAAT17oQiyq6ZW10G0xB1ub+W56QkxXEp
            5N9maGj1B/aG6lKEzaifP+i8MXBXoS0dQJoVN2gIncAIt+PxPehDGduz
            -----END PRIVATE KEY-----
            """)

    /// For `two.example` and what is below it.
    static let two = Pair(
        chain: """
            -----BEGIN CERTIFICATE-----
            MIIBqTCCAVCgAwIBAgIUWN2Z2j6VJ3dyfJpQnIGZ1ye7BJ8wCgYIKoZIzj0EAwIw
            FjEUMBIGA1UEAwwLdHdvLmV4YW1wbGUwIBcNMjYxMTI5MjMyOTE3WhgPMjEyNjEx
            MDUyMzI5MTdaMBYxFDASBgNVBAMMC3R3by5leGFtcGxlMFkwEwYHKoZIzj0CAQYI
            KoZIzj0DAQcDQgAEGBPH6uHr15MjGeELwPA/0aymU70ZmL7vSbsd7yoiZkHVmqX+
            7+3NbC087h1o+68OJ2GRpGD8xhRR00+LfEBs/6N6MHgwHQYDVR0OBBYEFOcrm/cz
            wLpuKqG8nzcrzOWBle3LMB8GA1UdIwQYMBaAFOcrm/czwLpuKqG8nzcrzOWBle3L
            MA8GA1UdEwEB/wQFMAMBAf8wJQYDVR0RBB4wHIILdHdvLmV4YW1wbGWCDSoudHdv
            LmV4YW1wbGUwCgYIKoZIzj0EAwIDRwAwRAIgaWTn1zitQXc6IK8hMmkyVrjfcZkR
            AkmMc0EIor2ZnS0CIBHINQqt1c/CQdttKNQuPhLVD4yBv0w/wp8RHaDw5o+u
            -----END CERTIFICATE-----
            """,
        key: """
            -----BEGIN PRIVATE KEY-----
            MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQg2Y8Eaqw68KR4rspk
            12B7qVlwz68RwQR71pHJPJdHFvehRANCAAQYE8fq4evXkyMZ4QvA8D/RrKZTvRmY
            vu9Jux3vKiJmQdWapf7v7c1sLTzuHWj7rw4nYZGkYPzGFFHTT4t8QGz/
            -----END PRIVATE KEY-----
            """)

    /// For `three.example`.
    static let three = Pair(
        chain: """
            -----BEGIN CERTIFICATE-----
            MIIBoTCCAUegAwIBAgIUaqW8fXthqngQEJC0PwAcvWCs4tMwCgYIKoZIzj0EAwIw
            GDEWMBQGA1UEAwwNdGhyZWUuZXhhbXBsZTAgFw0yNjExMjkyMzI5MTdaGA8yMTI2
            MTEwNTIzMjkxN1owGDEWMBQGA1UEAwwNdGhyZWUuZXhhbXBsZTBZMBMGByqGSM49
            AgEGCCqGSM49AwEHA0IABKGuTB8SS/GH1xMb7DE5O4urgBB/MEYG3LxCxTsmOJ6R
            XXqRE1FK+DweQqBlIWSk6OuO8sMQ/vdjwZsrunGJmGSjbTBrMB0GA1UdDgQWBBSp
            C1VuX/fxlfogdEh1NLyUxbIF7TAfBgNVHSMEGDAWgBSpC1VuX/fxlfogdEh1NLyU
            xbIF7TAPBgNVHRMBAf8EBTADAQH/MBgGA1UdEQQRMA+CDXRocmVlLmV4YW1wbGUw
            CgYIKoZIzj0EAwIDSAAwRQIgFHwLmKv5og0rV6KsNUARh6aImVXDTBaZ3rx36FHY
            /SwCIQDvEgtTXW+5sgjdZdN0RDJbOvhHm62uXJSXMFpY8MXfBg==
            -----END CERTIFICATE-----
            """,
        key: """
            -----BEGIN PRIVATE KEY-----
            MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQggiVnFiTuJ/HJQ4tk
            PicfWae6rRJwd61BI2luaFNljZihRANCAAShrkwfEkvxh9cTG+wxOTuLq4AQfzBG
            Bty8QsU7JjiekV16kRNRSvg8HkKgZSFkpOjrjvLDEP73Y8GbK7pxiZhk
            -----END PRIVATE KEY-----
            """)

    struct Pair: Sendable {
        let chain: String
        let key: String
    }
}

/// A directory that is there for the length of a test.
struct TestDirectory: Sendable {
    let path: String

    init() throws {
        self.path = "/tmp/scalekit-\(ProcessInfo.processInfo.processIdentifier)-\(UUID().uuidString)"
        try FileManager.default.createDirectory(atPath: self.path, withIntermediateDirectories: true)
    }

    func remove() {
        try? FileManager.default.removeItem(atPath: self.path)
    }

    /// Writes a file, directories and all.
    func write(_ name: String, _ content: String) throws {
        let path = self(name)
        let directory = URL(fileURLWithPath: path).deletingLastPathComponent().path
        try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
        try Data(content.utf8).write(to: URL(fileURLWithPath: path))
    }

    func link(_ name: String, to target: String) throws {
        try FileManager.default.createSymbolicLink(atPath: self(name), withDestinationPath: target)
    }

    /// Sets the time of a file's last change, in seconds since 1970.
    func touch(_ name: String, at second: Int) throws {
        try FileManager.default.setAttributes(
            [.modificationDate: Date(timeIntervalSince1970: TimeInterval(second))], ofItemAtPath: self(name))
    }

    func write(_ pair: TestCertificates.Pair, as name: String) throws {
        try self.write("\(name).pem", pair.chain)
        try self.write("\(name).key", pair.key)
    }

    func callAsFunction(_ name: String) -> String { "\(self.path)/\(name)" }
}
