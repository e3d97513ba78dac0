import ScaleTesting

/// Throws unless both are equal. Neither is shown: a payload may be one of them.
func expect<Value: Equatable>(
    _ value: Value, is expected: Value, _ what: String, file: String = #fileID, line: Int = #line
) throws {
    guard value == expected else { throw TestFailure(what, file: file, line: line) }
}

func expect(_ condition: Bool, _ what: String, file: String = #fileID, line: Int = #line) throws {
    guard condition else { throw TestFailure(what, file: file, line: line) }
}

func unwrap<Value>(_ value: Value?, _ what: String, file: String = #fileID, line: Int = #line) throws -> Value {
    guard let value else { throw TestFailure(what, file: file, line: line) }
    return value
}

func failure(_ what: String, file: String = #fileID, line: Int = #line) -> TestFailure {
    TestFailure(what, file: file, line: line)
}

extension Result {
    /// What an asynchronous call returned or threw.
    init(_ body: () async throws(Failure) -> Success) async {
        do throws(Failure) {
            self = .success(try await body())
        } catch {
            self = .failure(error)
        }
    }
}
