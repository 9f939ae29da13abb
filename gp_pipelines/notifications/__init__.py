"""Telling people: release and rollback, frozen, not watched. Never in the way of a run."""
