import ProfileFormat

/// A profile that was made of another project's file.
public struct ImportedProfile: Sendable {
    /// The profile.
    public let profile: Profile
    /// Where it does not say what the file says, for people; usually none.
    public let warnings: [String]
}
