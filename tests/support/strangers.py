"""Another user than the one who runs the tests, who owns nothing."""

import logging.config  # noqa: F401 - that user may not read the standard library where it lies in root's home
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from restyle.http import server  # noqa: F401 - likewise

NOBODY = 65534
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")


def let_others_through(folder: Path) -> None:
    """To ``folder``, which lies some folders deep in that of temporary files: deeper where tests run in processes."""
    for each in (folder, *folder.parents):
        if each == Path(tempfile.gettempdir()):
            return
        each.chmod(0o755)
    pytest.skip("needs the folder of temporary files, which others may enter")


@contextmanager
def nobody() -> Iterator[None]:
    """Be another user."""
    groups = os.getgroups()
    os.setgroups([])
    os.setegid(NOBODY)
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)
        os.setegid(0)
        os.setgroups(groups)
