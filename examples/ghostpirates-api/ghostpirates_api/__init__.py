"""Missions of the ghost pirates: a small HTTP API on PostgreSQL."""
