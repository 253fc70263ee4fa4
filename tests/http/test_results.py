import re
import time
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.support.service import RunningService, running


@pytest.fixture(scope="module")
def url(service: RunningService) -> str:
    return str(service.wait(service.submit())["ImgList"][0])


def test_a_url_serves_a_picture_to_whoever_has_it(service: RunningService, url: str) -> None:
    assert url.startswith(f"{service.url}/results/")
    response = service.http.get(url)
    assert response.status_code == 200
    assert response.headers["Content-Type"] == "image/png"
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert re.fullmatch(r"private, max-age=\d+, immutable", response.headers["Cache-Control"])
    assert response.headers["Content-Security-Policy"].startswith("default-src 'none'")
    assert response.content.startswith(b"\x89PNG")
    head = service.http.head(url)
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["Content-Length"] == str(len(response.content))


def test_the_url_stays_the_same_while_the_picture_does(service: RunningService, url: str) -> None:
    uid = url.split("/")[4]
    assert service.task(uid)["ImgList"] == [url]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (r"token=.", "token=g"),
        (r"token=.*", "token="),
        (r"token=.*", "token=%C3%A9%00"),
        (r"&token=.*", ""),
        (r"expires=(\d)", r"expires=9\1"),
        (r"expires=\d+", "expires=-1"),
        (r"expires=\d+", "expires=" + "9" * 50),
        (r"expires=\d+&", ""),
        (r"/0\.png", "/1.png"),
        (r"/results/.", "/results/0"),
        (r"/results/[^/]+", "/results/..%2f..%2fkey"),
    ],
)
def test_a_url_that_was_changed_is_refused(service: RunningService, url: str, old: str, new: str) -> None:
    changed, count = re.subn(old, new, url, count=1)
    assert count == 1
    response = service.http.get(changed)
    assert (response.status_code, response.json()["RetCode"]) in {(403, 171), (404, 161)}
    assert (response.status_code == 404) == ("%2f" in new)


def test_results_are_gone_when_their_time_is_over(tmp_path: Path) -> None:
    with running(tmp_path, result_seconds=1, sweep_seconds=0.2) as service:
        detail = service.wait(service.submit())
        url = detail["ImgList"][0]
        assert int(parse_qs(urlsplit(url).query)["expires"][0]) == detail["ExpireTime"]
        end = time.monotonic() + 10
        while service.http.get(url).status_code == 200:
            assert time.monotonic() < end
            time.sleep(0.05)
        response = service.http.get(url)
        assert (response.status_code, response.json()["RetCode"]) == (410, 4006)
        time.sleep(1.2)
        later = service.task(detail["TaskUID"])
        assert (later["Status"], later["ImgList"]) == ("Finished", [])
        assert not list((service.settings.data_dir / "objects" / "results").rglob("*.png"))


def test_urls_begin_with_the_address_that_the_operator_names(tmp_path: Path) -> None:
    with running(tmp_path, public_url="https://pictures.example/restyle/") as service:
        url = service.wait(service.submit())["ImgList"][0]
        assert url.startswith("https://pictures.example/restyle/results/")
        assert service.http.get(url.removeprefix("https://pictures.example/restyle")).status_code == 200
