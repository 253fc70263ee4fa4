"""The database's history."""

HEAD = "r0005"
"""The revision that this release works with: the last one under ``versions/``."""
