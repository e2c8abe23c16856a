import Foundation

/// Prints what a user should know besides the result, on standard error.
func printNote(_ text: String) { FileHandle.standardError.write(Data("note: \(text)\n".utf8)) }
