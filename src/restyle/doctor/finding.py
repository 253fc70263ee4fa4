"""What a check says."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Finding:
    """``mend`` is empty where ``well`` is true."""

    check: str
    well: bool
    found: str
    mend: str = ""


def finding(check: str, well: bool, found: str, mend: str = "") -> Finding:
    """``mend`` is left out where it is ``well``."""
    return Finding(check, well, found, "" if well else mend)
