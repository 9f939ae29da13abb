"""Whether the version that is live still works after a migration: found out by trying it."""
