"""Language packages from an index."""

import json
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from restyle.models.files.fetch import fetch
from restyle.models.files.line import Patience, Source
from restyle.prompts import download
from restyle.prompts.download import Offer, offers, wanted
from restyle.wire.errors import RestyleError
from tests.support.hub import Answer, Hub
from tests.support.hub import hub as hub_of_files

ENTRIES = [
    {"from_code": "zh", "to_code": "en", "package_version": "1.9", "links": ["https://x.test/zh19"]},
    {"from_code": "zh", "to_code": "en", "package_version": "1.10", "links": ["https://x.test/zh110"]},
    {"from_code": "en", "to_code": "zh", "package_version": "2.0", "links": ["https://x.test/other"]},
]
SOON = Patience(pause=0.0)


@pytest.fixture
def hub() -> Iterator[Hub]:
    with hub_of_files() as served:
        yield served


@pytest.fixture
def http() -> Iterator[httpx.Client]:
    with httpx.Client(trust_env=False) as client:
        yield client


def test_the_newest_package_into_english_is_offered(hub: Hub, http: httpx.Client) -> None:
    index = hub.add("/index.json", json.dumps(ENTRIES).encode(), Answer(500), Answer(cut=10))
    assert offers(http, Source(index, loopback=True), patience=SOON) == {
        "zh": Offer("zh", "1.10", "https://x.test/zh110")
    }


@pytest.mark.parametrize("content", [b"{", b'{"a": 1}', b"[1]", b'[{"from_code": "zh"}]', b"\xff"])
def test_an_index_of_another_form_is_refused(hub: Hub, http: httpx.Client, content: bytes) -> None:
    with pytest.raises(RestyleError, match=r"the index .* is not as expected"):
        offers(http, Source(hub.add("/index.json", content), loopback=True))


def test_an_index_without_end_is_refused(hub: Hub, http: httpx.Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(download, "MOST_INDEX_BYTES", 1000)
    with pytest.raises(RestyleError, match="larger than 1,000 bytes"):
        offers(http, Source(hub.add("/index.json", bytes(1001)), loopback=True))


def test_a_package_that_was_cut_off_is_gone_on_with(hub: Hub, http: httpx.Client, tmp_path: Path) -> None:
    content = bytes(range(256)) * 400
    url = hub.add("/zh", content, Answer(cut=40_000), Answer(503), etag='"1"')
    target = tmp_path / "zh.argosmodel"
    with pytest.raises(RestyleError, match="503"):
        fetch(http, wanted(Offer("zh", "1", url), target, loopback=True), patience=Patience(tries=1, pause=0.0))
    local = fetch(http, wanted(Offer("zh", "1", url), target, loopback=True))
    assert (local.path.read_bytes(), local.size) == (content, len(content))
    assert hub.asked["/zh"][-1].start == 40_000


def test_a_package_is_fetched_by_https_and_up_to_a_limit(
    hub: Hub, http: httpx.Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "zh"
    with pytest.raises(RestyleError, match="not an https address"):
        fetch(http, wanted(Offer("zh", "1", hub.add("/zh", bytes(11))), target))
    monkeypatch.setattr(download, "MOST_PACKAGE_BYTES", 10)
    with pytest.raises(RestyleError, match="has 11 bytes; at most 10"):
        fetch(http, wanted(Offer("zh", "1", hub.url + "/zh"), target, loopback=True))
    with pytest.raises(RestyleError, match="answered 404"):
        fetch(http, wanted(Offer("zh", "1", hub.url + "/none"), target, loopback=True))
    assert list(tmp_path.iterdir()) == []
