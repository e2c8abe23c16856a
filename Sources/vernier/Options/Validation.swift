import ArgumentParser

/// Throws a usage error unless `value` is at least `least`.
func requireAtLeast(_ least: Int, _ value: Int?, option: String) throws {
    if let value, value < least {
        throw ValidationError("\(option): expected a whole number of at least \(least), found \(value).")
    }
}
