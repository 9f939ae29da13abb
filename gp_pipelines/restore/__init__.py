"""Destroyed data brought back from a backup: into a new database, which then takes the traffic."""
