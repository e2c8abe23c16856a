@main struct Vernier { static func main() {} }
