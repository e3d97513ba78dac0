/// Throws unless `condition` holds.
public func expect(
    _ condition: @autoclosure () throws -> Bool, _ message: @autoclosure () -> String = "the condition does not hold",
    file: String = #fileID, line: Int = #line
) throws {
    guard try condition() else { throw TestFailure(message(), file: file, line: line) }
}

/// Throws unless `actual` equals `expected`; the failure shows both.
public func expectEqual<Value: Equatable>(
    _ actual: Value, _ expected: Value, _ message: @autoclosure () -> String = "not equal", file: String = #fileID, line: Int = #line
) throws {
    guard actual == expected else {
        throw TestFailure("\(message()): got \(actual), expected \(expected)", file: file, line: line)
    }
}

/// What `value` holds; throws when it is `nil`.
public func require<Value>(
    _ value: Value?, _ message: @autoclosure () -> String = "the value is nil", file: String = #fileID, line: Int = #line
) throws -> Value {
    guard let value else { throw TestFailure(message(), file: file, line: line) }
    return value
}

/// The error of type `Failure` that `body` throws; throws when `body` returns, or throws something else.
@discardableResult
public func expectThrows<Failure: Error, Result>(
    _ type: Failure.Type, _ message: @autoclosure () -> String = "no error", file: String = #fileID, line: Int = #line,
    _ body: () async throws -> Result
) async throws -> Failure {
    do {
        _ = try await body()
    } catch let error as Failure {
        return error
    } catch {
        throw TestFailure("\(message()): expected \(type), got \(error)", file: file, line: line)
    }
    throw TestFailure("\(message()): expected \(type), and nothing was thrown", file: file, line: line)
}
