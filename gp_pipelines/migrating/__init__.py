"""Changing a database that a live version works with: the gate, and what comes after it."""
