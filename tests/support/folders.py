"""What lies in folders that a service works in meanwhile."""

import os
from pathlib import Path


def files(folder: Path) -> set[Path]:
    """All files below ``folder``; a folder that is gone before it is looked into has none, unlike for ``rglob``."""
    return {Path(place, name) for place, _, names in os.walk(folder) for name in names}
