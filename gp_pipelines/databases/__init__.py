"""The service's database: backup, what is pending, and migrating. It only goes forward."""
