"""Another user than the one who runs the tests, who owns nothing."""

import logging.config  # noqa: F401 - that user may not read the standard library where it lies in root's home
import os
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from restyle.http import server  # noqa: F401 - likewise
from restyle.models import torchfile  # noqa: F401 - likewise

NOBODY = 65534
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")


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
