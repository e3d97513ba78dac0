extension Duration {
    /// This duration in nanoseconds, rounded toward zero, saturating at ±292 years. `package`, since we extend no standard type publicly.
    package var wholeNanoseconds: Int64 {
        // Not by `components`, which traps where the seconds alone need more than 64 bits.
        Int64(clamping: self.attoseconds / 1_000_000_000)
    }

    /// This duration in milliseconds, rounded *up*, so that a positive duration never becomes zero; saturating.
    package var wholeMillisecondsRoundedUp: Int64 {
        let nanoseconds = self.wholeNanoseconds
        let (quotient, remainder) = nanoseconds.quotientAndRemainder(dividingBy: 1_000_000)
        return remainder > 0 ? quotient + 1 : quotient
    }

    /// This duration in seconds, with fraction.
    package var fractionalSeconds: Double {
        Double(self.attoseconds) / 1e18
    }

    /// A duration from a possibly hostile number of seconds: NaN becomes zero, infinities and huge values saturate at ±292 years.
    package init(saturatingSeconds seconds: Double) {
        guard !seconds.isNaN else {
            self = .zero
            return
        }
        let nanoseconds = (seconds * 1e9).rounded()
        self = .nanoseconds(Int64(exactly: nanoseconds) ?? (seconds < 0 ? .min : .max))
    }
}
