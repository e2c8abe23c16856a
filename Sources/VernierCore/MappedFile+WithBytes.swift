extension MappedFile {
    /// Hands the mapped bytes to `body` and keeps the map alive until it returns.
    ///
    /// `MappedFile(path: path).bytes` alone may outlive the object, and with it the map.
    public func withBytes<Result>(_ body: (UnsafeRawBufferPointer) throws -> Result) rethrows -> Result {
        try withExtendedLifetime(self) { try body(bytes) }
    }
}
