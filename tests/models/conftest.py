"""A hub, and clients that reach it whatever proxies the environment names."""

from collections.abc import Iterator

import httpx
import pytest

from tests.support import hub as hubs
from tests.support.hub import Hub


@pytest.fixture
def hub() -> Iterator[Hub]:
    with hubs.hub() as served:
        yield served


@pytest.fixture
def http() -> Iterator[httpx.Client]:
    with httpx.Client(trust_env=False) as client:
        yield client
