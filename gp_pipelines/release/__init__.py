"""Releasing a version: plan, build, backup, migrate, deploy, smoke, switch, schedule cleanup."""
