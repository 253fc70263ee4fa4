from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from restyle.prompts import download
from restyle.prompts.download import Offer, offers
from restyle.wire.errors import RestyleError

ENTRIES = [
    {"from_code": "zh", "to_code": "en", "package_version": "1.9", "links": ["https://x.test/zh19"]},
    {"from_code": "zh", "to_code": "en", "package_version": "1.10", "links": ["https://x.test/zh110"]},
    {"from_code": "en", "to_code": "zh", "package_version": "2.0", "links": ["https://x.test/other"]},
]


def client(answer: Callable[[httpx.Request], httpx.Response]) -> httpx.Client:
    return httpx.Client(transport=httpx.MockTransport(answer))


def test_the_newest_package_into_english_is_offered() -> None:
    with client(lambda request: httpx.Response(200, json=ENTRIES)) as http:
        assert offers(http) == {"zh": Offer("zh", "1.10", "https://x.test/zh110")}


def test_an_index_of_another_form_is_refused() -> None:
    with client(lambda request: httpx.Response(200, json={"a": 1})) as http, pytest.raises(RestyleError, match="index"):
        offers(http)


def test_redirects_are_followed_to_https_only(tmp_path: Path) -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.path == "/moved":
            return httpx.Response(302, headers={"Location": "https://y.test/file"})
        if request.url.path == "/insecure":
            return httpx.Response(302, headers={"Location": "http://y.test/file"})
        return httpx.Response(200, content=b"package")

    with client(answer) as http:
        download.download(http, Offer("zh", "1", "https://x.test/moved"), tmp_path / "zh")
        assert (tmp_path / "zh").read_bytes() == b"package"
        for url in ("https://x.test/insecure", "http://x.test/file", "file:///etc/passwd"):
            with pytest.raises(RestyleError, match="not an https address"):
                download.download(http, Offer("zh", "1", url), tmp_path / "zh")


def test_large_and_failing_downloads_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(download, "MOST_PACKAGE_BYTES", 10)
    with (
        client(lambda request: httpx.Response(200, content=bytes(11))) as http,
        pytest.raises(RestyleError, match="larger than"),
    ):
        download.download(http, Offer("zh", "1", "https://x.test/zh"), tmp_path / "zh")
    with (
        client(lambda request: httpx.Response(404)) as http,
        pytest.raises(RestyleError, match="cannot be fetched"),
    ):
        download.download(http, Offer("zh", "1", "https://x.test/zh"), tmp_path / "zh")
