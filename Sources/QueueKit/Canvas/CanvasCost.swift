/// What the copies cost that are made of parts of a canvas: bytes on the wire, and memory. A value.
struct CanvasCost: Hashable, Sendable {
    private let limits: CanvasLimits
    private var bytes = 0

    /// What an element of an array or an object costs where that is copied, beyond its bytes as JSON. (What an element refers to is shared.)
    private static let elementBytes = 64

    init(_ limits: CanvasLimits) {
        self.limits = limits
    }

    /// Linear in what is carried.
    mutating func charge(_ carried: [JSONValue], times count: Int) throws(Signature.Unusable) {
        let once = carried.reduce(0) { $0 + $1.jsonBytes().count + Self.elementBytes * $1.elementCount }
        let (product, overflow) = once.multipliedReportingOverflow(by: max(1, count))
        let (sum, overflowsSum) = self.bytes.addingReportingOverflow(product)
        guard !overflow, !overflowsSum, sum <= self.limits.maximumCarriedBytes else {
            throw Signature.Unusable(reason: "its parts would carry more than \(self.limits.maximumCarriedBytes) bytes of it")
        }
        self.bytes = sum
    }

    /// Linear in what is carried.
    func checkDepth(of carried: [JSONValue]) throws(Signature.Unusable) {
        guard !carried.contains(where: { $0.nests(deeperThan: self.limits.maximumCarriedDepth) }) else {
            throw Signature.Unusable(reason: "what its parts carry nests deeper than \(self.limits.maximumCarriedDepth)")
        }
    }
}

extension JSONValue {
    /// Its elements, and those of each of them: a list of links stands in an object of options.
    fileprivate var elementCount: Int {
        switch self {
        case .array(let elements): elements.reduce(elements.count) { $0 + $1.ownCount }
        case .object(let object): object.reduce(object.count) { $0 + $1.value.ownCount }
        case .null, .bool, .integer, .bigInteger, .double, .string: 0
        }
    }

    private var ownCount: Int {
        switch self {
        case .array(let elements): elements.count
        case .object(let object): object.count
        case .null, .bool, .integer, .bigInteger, .double, .string: 0
        }
    }

    fileprivate func nests(deeperThan depth: Int) -> Bool {
        switch self {
        case .array(let elements): depth == 0 || elements.contains { $0.nests(deeperThan: depth - 1) }
        case .object(let object): depth == 0 || object.contains { $0.value.nests(deeperThan: depth - 1) }
        case .null, .bool, .integer, .bigInteger, .double, .string: false
        }
    }
}
