import re
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.support.folders import files
from tests.support.patience import wait_for
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
    with running(tmp_path, result_seconds=2, sweep_seconds=0.2) as service:
        while not (detail := service.wait(service.submit()))["ImgList"]:
            pass  # on a busy machine that time may be over before it is seen
        url = detail["ImgList"][0]
        assert int(parse_qs(urlsplit(url).query)["expires"][0]) == detail["ExpireTime"]
        wait_for(lambda: service.http.get(url).status_code != 200)
        response = service.http.get(url)
        assert (response.status_code, response.json()["RetCode"]) == (410, 4006)
        results = service.settings.data_dir / "objects" / "results"
        wait_for(lambda: not files(results))
        later = service.task(detail["TaskUID"])
        assert (later["Status"], later["ImgList"]) == ("Finished", [])


def test_urls_begin_with_the_address_that_the_operator_names(tmp_path: Path) -> None:
    with running(tmp_path, public_url="https://pictures.example/restyle/") as service:
        url = service.wait(service.submit())["ImgList"][0]
        assert url.startswith("https://pictures.example/restyle/results/")
        assert service.http.get(url.removeprefix("https://pictures.example/restyle")).status_code == 200
        body = service.sign({"Action": "ListTasksDetails", "TaskUIDList": [url.split("/")[5]]})
        for host in ("evil.example", "no host at all"):
            (detail,) = service.http.post("/", json=body, headers={"Host": host}).json()["TaskDetailList"]
            assert detail["ImgList"] == [url]


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.1:99", "LOCALHOST", "localhost:8484"])
def test_urls_begin_with_the_host_asked_for_where_it_is_this_machines(service: RunningService, host: str) -> None:
    uid = service.submit()
    body = service.sign({"Action": "ListTasksDetails", "TaskUIDList": [uid]})
    service.wait(uid)
    answer = service.http.post("/", json=body, headers={"Host": host})
    assert answer.json()["TaskDetailList"][0]["ImgList"][0].startswith(f"http://{host}/results/")
    assert answer.headers["Cache-Control"] == "no-store"
    assert service.task(uid)["ImgList"][0].startswith(f"{service.url}/results/")
    document = service.http.get("/openapi.json", headers={"Host": host})
    assert document.json()["servers"] == [{"url": f"http://{host}"}]
    assert document.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize("host", ["evil.example", "evil.example:99", "[::1]:8484", "127.0.0.1.evil.example"])
def test_a_host_that_was_made_up_is_refused(service: RunningService, host: str) -> None:
    answer = service.http.post("/", json=service.sign({"Action": "ListModels"}), headers={"Host": host})
    assert (answer.status_code, answer.json()["RetCode"]) == (400, 4001)
    assert "RESTYLE_ALLOWED_HOSTS" in answer.json()["Message"]
    assert service.http.get("/openapi.json", headers={"Host": host}).status_code == 400


@pytest.mark.parametrize("host", ["a b", "a/b", "a@b", "a:b", "a:1:2", "a?b", "[a]", "a,b", "", "a" * 300])
def test_a_host_that_is_none_is_refused(service: RunningService, host: str) -> None:
    answer = service.http.post("/", json=service.sign({"Action": "ListModels"}), headers={"Host": host})
    assert (answer.status_code, answer.json()["RetCode"]) == (400, 4001)
    assert "Host" in answer.json()["Message"]
    assert service.http.get("/openapi.json", headers={"Host": host}).status_code == 400
