"""The database's history."""

HEAD = "r0004"
"""The revision that this release works with: the last one under ``versions/``."""
