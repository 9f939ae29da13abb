"""Checks against a preview or an entrance."""
