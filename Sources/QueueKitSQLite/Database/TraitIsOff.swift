#if !SQLite
/// Says, in a build that names the module without the package trait `SQLite`, why it is empty.
@available(*, unavailable, message: "QueueKitSQLite needs ScaleKit's package trait SQLite, which is on by default")
public enum SQLiteQueueDatabase {}
#endif
