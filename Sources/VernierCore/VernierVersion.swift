/// The version of this build of Vernier, as written into statistics, profiles and reports.
public enum VernierVersion {
    /// Semantic version.
    public static let current = "0.1.0"
}
