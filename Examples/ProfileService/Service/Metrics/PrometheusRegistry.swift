public import Metrics
import ScaleCore

/// A metrics backend that keeps everything in memory and writes Prometheus' text exposition format, version 0.0.4.
///
/// A timer or recorder becomes a summary (`_sum` and `_count`), timers in seconds; a gauge or meter shows its last value; names become
/// what Prometheus allows, and counters end in `_total`.
public final class PrometheusRegistry: MetricsFactory {
    private let families = Locked<[String: Family]>([:])

    public init() {}

    /// Makes this registry the process' metrics system. Once per process.
    func install() {
        MetricsSystem.bootstrap(self)
    }

    public func makeCounter(label: String, dimensions: [(String, String)]) -> any CounterHandler {
        let name = Self.name(label)
        return self.cell(name.hasSuffix("_total") ? name : name + "_total", .counter, dimensions)
    }

    public func makeFloatingPointCounter(label: String, dimensions: [(String, String)]) -> any FloatingPointCounterHandler {
        let name = Self.name(label)
        return self.cell(name.hasSuffix("_total") ? name : name + "_total", .counter, dimensions)
    }

    public func makeRecorder(label: String, dimensions: [(String, String)], aggregate: Bool) -> any RecorderHandler {
        self.cell(Self.name(label), aggregate ? .summary : .gauge, dimensions)
    }

    public func makeMeter(label: String, dimensions: [(String, String)]) -> any MeterHandler {
        self.cell(Self.name(label), .gauge, dimensions)
    }

    public func makeTimer(label: String, dimensions: [(String, String)]) -> any TimerHandler {
        let name = Self.name(label)
        return self.cell(name.hasSuffix("_seconds") ? name : name + "_seconds", .summary, dimensions)
    }

    public func destroyCounter(_ handler: any CounterHandler) {}
    public func destroyFloatingPointCounter(_ handler: any FloatingPointCounterHandler) {}
    public func destroyRecorder(_ handler: any RecorderHandler) {}
    public func destroyMeter(_ handler: any MeterHandler) {}
    public func destroyTimer(_ handler: any TimerHandler) {}

    /// Everything that was counted, in the text exposition format, families in the order of their names.
    public func exposition() -> String {
        let families = self.families.withLock { $0 }
        var text = ""
        for (name, family) in families.sorted(by: { $0.key < $1.key }) {
            text += "# TYPE \(name) \(family.kind.rawValue)\n"
            for (labels, cell) in family.cells.sorted(by: { $0.key < $1.key }) {
                let (sum, count) = cell.reading
                switch family.kind {
                case .counter, .gauge:
                    text += "\(name)\(labels) \(Self.number(sum))\n"
                case .summary:
                    text += "\(name)_sum\(labels) \(Self.number(sum))\n\(name)_count\(labels) \(count)\n"
                }
            }
        }
        return text
    }

    /// A counter's value over all its labels, or nil when nobody made it.
    public func total(of counter: String) -> Double? {
        self.families.withLock { $0[counter] }?.cells.values.reduce(0) { $0 + $1.reading.sum }
    }

    private func cell(_ name: String, _ kind: Family.Kind, _ dimensions: [(String, String)]) -> Cell {
        let labels = Self.labels(dimensions)
        return self.families.withLock { families in
            var family = families[name] ?? Family(kind: kind)
            let cell = family.cells[labels] ?? Cell(keepsLast: family.kind == .gauge)
            family.cells[labels] = cell
            families[name] = family
            return cell
        }
    }

    private struct Family: Sendable {
        enum Kind: String { case counter, gauge, summary }

        let kind: Kind
        var cells: [String: Cell] = [:]
    }

    private static func name(_ label: String) -> String {
        var name = String(
            label.unicodeScalars.map { scalar in
                scalar.isASCII && (scalar.properties.isAlphabetic || ("0"..."9").contains(scalar)) ? Character(scalar) : "_"
            })
        if name.first.map({ $0.isNumber }) ?? true { name = "_" + name }
        return name
    }

    private static func labels(_ dimensions: [(String, String)]) -> String {
        guard !dimensions.isEmpty else { return "" }
        let pairs = dimensions.sorted { $0.0 < $1.0 }.map { "\(Self.name($0.0))=\"\(Self.escape($0.1))\"" }
        return "{" + pairs.joined(separator: ",") + "}"
    }

    private static func escape(_ value: String) -> String {
        var escaped = ""
        for character in value {
            switch character {
            case "\\": escaped += "\\\\"
            case "\"": escaped += "\\\""
            case "\n": escaped += "\\n"
            default: escaped.append(character)
            }
        }
        return escaped
    }

    private static func number(_ value: Double) -> String {
        Int64(exactly: value).map(String.init) ?? String(value)
    }
}

/// One time series.
private final class Cell: CounterHandler, FloatingPointCounterHandler, RecorderHandler, MeterHandler, TimerHandler {
    /// What is recorded replaces what was: a gauge is a recorder that does not aggregate.
    private let keepsLast: Bool
    private let state = Locked<(sum: Double, count: Int64)>((0, 0))

    init(keepsLast: Bool) {
        self.keepsLast = keepsLast
    }

    var reading: (sum: Double, count: Int64) { self.state.withLock { $0 } }

    private func add(_ value: Double) {
        self.state.withLock { state in
            state.sum += value
            state.count &+= 1
        }
    }

    func increment(by amount: Int64) { self.add(Double(amount)) }
    func increment(by amount: Double) { self.add(amount) }
    func decrement(by amount: Double) { self.add(-amount) }
    func record(_ value: Int64) { self.record(Double(value)) }
    func record(_ value: Double) { self.keepsLast ? self.set(value) : self.add(value) }
    func set(_ value: Int64) { self.set(Double(value)) }
    func set(_ value: Double) { self.state.withLock { $0 = (value, 1) } }
    func recordNanoseconds(_ duration: Int64) { self.add(Double(duration) / 1e9) }
    func reset() { self.state.withLock { $0 = (0, 0) } }
}
