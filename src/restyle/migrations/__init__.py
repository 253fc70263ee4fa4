"""The database's history."""

HEAD = "r0006"
"""The revision that this release works with: the last one under ``versions/``."""
