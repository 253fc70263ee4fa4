"""Settings that are checked at start, so that nobody meets them later as links that lead nowhere."""

from pathlib import Path

import pytest

from restyle.settings import Settings
from tests.support.command import restyle


@pytest.mark.parametrize("url", ["", "http://127.0.0.1:8484", "https://restyle.example.org/", "https://[::1]:1/a/b"])
def test_public_urls_that_are_taken(url: str) -> None:
    assert Settings(public_url=url).public_url == url


@pytest.mark.parametrize(
    "url",
    [
        "restyle.example.org",
        "restyle.example.org:8484",
        "ftp://a.org",
        "https://",
        "//a.org",
        "https://a.org:x",
        "http://a.org:0",
        "https://a.org?x",
        "https://a.org/#x",
        "https://user:word@a.org",
        "https://a .org",
        "http://[::1",
    ],
)
def test_public_urls_that_are_refused(url: str) -> None:
    with pytest.raises(ValueError, match="give a whole address of http or https, such as"):
        Settings(public_url=url)


@pytest.mark.parametrize("origins", ["a.org", "https://a.org/", "https://a.org,b.org", "null", "https://*.a.org/x"])
def test_origins_that_are_refused(origins: str) -> None:
    with pytest.raises(ValueError, match=r"such as https://app\.example\.org"):
        Settings(cors_origins=origins)


def test_serve_refuses_before_it_makes_anything(tmp_path: Path) -> None:
    ran = restyle("serve", folder=tmp_path, RESTYLE_PUBLIC_URL="restyle.example.org")
    assert (ran.code, ran.out, list(tmp_path.iterdir())) == (5, "", [])
    assert ran.err == (
        "restyle: setting RESTYLE_PUBLIC_URL is 'restyle.example.org': give a whole address of http or https, such as "
        "https://restyle.example.org/with/a/path\n"
    )
