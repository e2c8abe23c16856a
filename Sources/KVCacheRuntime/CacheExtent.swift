/// A place in the arena, or the size of a part of it: in slots, for what is kept beside keys and values, and in bytes,
/// for the keys and values themselves.
struct CacheExtent: Sendable, Hashable {
    var slots = 0
    var bytes = 0

    static func + (a: Self, b: Self) -> Self { Self(slots: a.slots + b.slots, bytes: a.bytes + b.bytes) }
    static func - (a: Self, b: Self) -> Self { Self(slots: a.slots - b.slots, bytes: a.bytes - b.bytes) }
    static func += (a: inout Self, b: Self) { a = a + b }
}
