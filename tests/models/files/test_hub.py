"""Addresses and tokens of a hub, and what it means when it says no."""

from pathlib import Path

import httpx
import pytest

from restyle.models.files.fetch import Wanted, fetch
from restyle.models.files.hub import GATED, PUBLIC, Hub
from restyle.wire.errors import RestyleError
from tests.support import hub as hubs
from tests.support.hub import Answer


def test_the_hub_is_the_environments(monkeypatch: pytest.MonkeyPatch) -> None:
    assert Hub.of({}) == Hub(PUBLIC)
    assert Hub.of({"HF_ENDPOINT": "https://mirror.example.org/hf/", "HF_TOKEN": "hf_mine "}) == Hub(
        "https://mirror.example.org/hf", "hf_mine"
    )
    source = Hub("https://mirror.example.org/hf").source("a/b", "refs/pr/1", "x y/z.safetensors")
    assert source.url == "https://mirror.example.org/hf/a/b/resolve/refs%2Fpr%2F1/x%20y/z.safetensors"


@pytest.mark.parametrize(
    ("variables", "reason"),
    [
        ({"HF_ENDPOINT": "mirror.example.org"}, "no address of a hub"),
        ({"HF_ENDPOINT": "https://me:secret@example.org"}, "no address of a hub"),
        ({"HF_ENDPOINT": "http://mirror.example.org"}, "fetched by https alone"),
        ({"HF_TOKEN": "hf secret"}, "HF_TOKEN is no token"),
        ({"HF_TOKEN": "hf\nsecret"}, "HF_TOKEN is no token"),
    ],
)
def test_what_is_no_hub_is_said_without_secrets(variables: dict[str, str], reason: str) -> None:
    with pytest.raises(RestyleError, match=reason) as caught:
        Hub.of(variables)
    assert "secret" not in caught.value.message


def test_a_token_is_in_no_words_of_ours() -> None:
    hub = Hub(token="hf_secret")
    assert "hf_secret" not in repr(hub) + repr(hub.source("a/b", "main", "x")) + str(hub)


@pytest.mark.parametrize(
    ("status", "token", "says"),
    [
        (
            401,
            "",
            ["open {page}: if it asks", f'with the box "{GATED}"', "{hub}/settings/tokens", "set HF_TOKEN to it"],
        ),
        (401, "hf_x", ["HF_TOKEN is not, or no longer, a token of this hub"]),
        (
            403,
            "hf_x",
            ["open {page} with the account of HF_TOKEN", f'needs the box "{GATED}" at {{hub}}/'],
        ),
        (403, "", ["open {page}: if it asks"]),
        (404, "", ["the repository has no such file, or is gone: look at {page}"]),
    ],
)
def test_a_refusal_says_which_page_to_open_and_which_box_to_tick(
    hub: hubs.Hub, http: httpx.Client, tmp_path: Path, status: int, token: str, says: list[str]
) -> None:
    hub.add("/a/b/resolve/main/x", b"x", Answer(status))
    with pytest.raises(RestyleError, match=f"answered {status}") as caught:
        fetch(http, Wanted(Hub(hub.url, token).source("a/b", "main", "x"), tmp_path / "x", 10))
    for words in says:
        assert words.format(page=f"{hub.url}/a/b", hub=hub.url) in caught.value.message
    assert "hf_x" not in caught.value.message
    assert hub.asked["/a/b/resolve/main/x"][0].headers.get("Authorization") == (f"Bearer {token}" if token else None)


def test_a_token_stays_with_the_hub_when_it_redirects(hub: hubs.Hub, http: httpx.Client, tmp_path: Path) -> None:
    with hubs.hub() as store:
        there = store.add("/blob?signature=x", b"content")
        hub.add("/a/b/resolve/main/x", b"", Answer(302, {"Location": there}))
        fetch(http, Wanted(Hub(hub.url, "hf_x").source("a/b", "main", "x"), tmp_path / "x", 10))
        assert "Authorization" not in store.asked["/blob?signature=x"][0].headers
    assert (tmp_path / "x").read_bytes() == b"content"
