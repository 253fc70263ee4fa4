"""The database's history."""

HEAD = "r0007"
"""The revision that this release works with: the last one under ``versions/``."""
