"""The database's history."""

HEAD = "r0003"
"""The revision that this release works with: the last one under ``versions/``."""
