import CHDF5Shim
import Synchronization
import VernierCore

/// One use of the HDF5 library: holds the lock that serialises them, silences its error dump, closes what was opened.
///
/// Identifiers handed out by a session stay valid until it ends. Not every build of HDF5 is safe to call from two
/// threads, hence the lock.
final class HDF5Session {
    /// The longest string that files hold, in bytes of UTF-8.
    static let longestString = 4096
    /// The longest list that an attribute holds.
    static let longestList = 4096

    private static let lock = Mutex(())

    /// The file's name, for messages.
    let fileName: String
    private var identifiers: [hid_t] = []

    private init(fileName: String) { self.fileName = fileName }

    /// Runs `body` with a new session; closes everything it opened, whether it throws or not.
    ///
    /// Throws what `body` throws, and ``VernierError/Code/fileAccess`` if closing (and with it writing) fails.
    static func run<Result: Sendable>(
        fileName: String, _ body: (HDF5Session) throws -> Result
    ) throws -> Result {
        try lock.withLock { _ in
            guard H5open() >= 0 else {
                throw VernierError(.fileAccess, at: fileName, problems: ["the HDF5 library does not start"])
            }
            let reporting = vernier_h5_silence()
            defer { vernier_h5_restore(reporting) }
            let session = HDF5Session(fileName: fileName)
            defer { session.closeAll() }
            let result = try body(session)
            guard session.closeAll() else { throw session.failure(.fileAccess, "cannot close the file") }
            return result
        }
    }

    /// How many files, groups, data sets and attributes are open while no session runs.
    static var openObjectCount: Int {
        lock.withLock { _ in
            let reporting = vernier_h5_silence()
            defer { vernier_h5_restore(reporting) }
            return Int(vernier_h5_open_objects())
        }
    }

    /// Takes charge of an identifier that a call of HDF5 returned; throws if that call failed.
    func keep(_ identifier: hid_t, _ code: VernierError.Code, _ action: @autoclosure () -> String) throws -> hid_t {
        guard identifier >= 0 else { throw failure(code, "cannot \(action())") }
        identifiers.append(identifier)
        return identifier
    }

    /// Throws if a call of HDF5 returned a negative status.
    func check(_ status: herr_t, _ code: VernierError.Code, _ action: @autoclosure () -> String) throws {
        guard status >= 0 else { throw failure(code, "cannot \(action())") }
    }

    /// An error of this file, with the innermost message of HDF5's error stack.
    private func failure(_ code: VernierError.Code, _ what: String) -> VernierError {
        let message = withUnsafeTemporaryAllocation(of: CChar.self, capacity: 256) { text -> String in
            guard let start = text.baseAddress else { return "" }
            vernier_h5_message(start)
            return String(cString: start)
        }
        return VernierError(code, at: fileName, problems: [message.isEmpty ? what : "\(what): \(message)"])
    }

    /// Closes all identifiers, the latest first; false if one could not be closed.
    @discardableResult
    private func closeAll() -> Bool {
        var succeeded = true
        while let identifier = identifiers.popLast() { succeeded = H5Idec_ref(identifier) >= 0 && succeeded }
        return succeeded
    }
}
