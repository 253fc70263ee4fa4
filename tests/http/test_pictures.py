"""Strangers' pictures through a running service: each hostile one is refused, and nobody else notices."""

import base64
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from restyle.accounts.keys import KeyPair
from tests.support import bombs, pictures
from tests.support.checkers import MEMORY, peak, processes
from tests.support.patience import NEVER, PATIENCE, wait_for
from tests.support.service import PICTURE, RunningService, running, submission

SLOW = base64.b64encode(bombs.scans(40, 13_300)).decode()
"""A kilobyte that takes seconds to decode, within all bounds if such large pictures are allowed."""
LARGEST = 178_000_000


@pytest.fixture(scope="module")
def exposed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningService]:
    with running(tmp_path_factory.mktemp("exposed"), max_image_pixels=bombs.MAX_PIXELS, drain_seconds=0) as service:
        yield service


class Sending(threading.Thread):
    """A submission of a slow picture on its way, and its answer."""

    def __init__(self, service: RunningService, key: KeyPair | None = None, slow: str = SLOW) -> None:
        super().__init__(daemon=True)
        self.answer: httpx.Response | None = None
        self._url = service.url
        body = {"Action": "ApplyReferenceStyle", **submission(ImageList=[PICTURE, slow])}
        self._body = service.sign(body, key)
        self.start()

    def run(self) -> None:
        self.answer = httpx.post(self._url, json=self._body, timeout=PATIENCE)

    def result(self) -> dict[str, Any]:
        self.join(PATIENCE)
        assert self.answer is not None
        answer: dict[str, Any] = self.answer.json()
        return answer


@pytest.mark.parametrize("name", bombs.HOSTILE)
def test_a_hostile_picture_is_refused_and_the_next_request_works(exposed: RunningService, name: str) -> None:
    make, says = bombs.HOSTILE[name]
    answer = exposed.call("ApplyReferenceStyle", **submission(ImageList=[PICTURE, base64.b64encode(make()).decode()]))
    assert (answer["RetCode"], answer["Field"]) == (4003, "ImageList[1]")
    assert says in answer["Message"]
    assert exposed.wait(exposed.submit())["Status"] == "Finished"
    everybody = [psutil.Process(exposed.process.pid), *processes(exposed.process.pid)]
    assert all(peak(process) < MEMORY for process in everybody)
    assert '"level": "error"' not in exposed.log.read_text()


def test_a_picture_that_takes_more_than_its_time_is_refused(tmp_path: Path) -> None:
    """Of a processor's time, that is: by the clock it has the more, the larger pictures may be."""
    slower = base64.b64encode(bombs.slow_bmp(10_000_000)).decode()
    with running(tmp_path, max_image_pixels=LARGEST, check_seconds=1) as service:
        answer = Sending(service, slow=slower).result()
        assert (answer["RetCode"], answer["Field"]) == (4003, "ImageList[1]")
        assert "takes more than 1 s" in answer["Message"]
        assert service.wait(service.submit())["Status"] == "Finished"


def test_slow_pictures_hold_up_no_other_account_and_no_end(tmp_path: Path) -> None:
    with running(tmp_path, max_image_pixels=LARGEST, check_seconds=NEVER) as service:
        attacker = service.keys.create(credits=0, unlimited=True)
        slow = [Sending(service, attacker) for _ in range(10)]
        wait_for(lambda: any(each.cpu_times().user > 1 for each in processes(service.process.pid)))
        uid = service.submit()
        assert service.wait(uid)["Status"] == "Finished"
        assert service.call("GetCreditBalance")["RetCode"] == 0
        checkers = processes(service.process.pid)
        service.drain()
        refused = [each.answer for each in slow if each.result()["RetCode"] != 0 and each.answer is not None]
        assert refused  # on a slow machine the first may have been accepted before
        for answer in refused:
            assert (answer.status_code, answer.json()["RetCode"]) == (503, 4009)
            assert int(answer.headers["Retry-After"]) > 0
        assert service.process.wait(PATIENCE) == 0
        assert not any(each.is_running() for each in checkers)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF", "AVIF"])
def test_a_profile_without_a_readable_space_is_passed_over(exposed: RunningService, kind: str) -> None:
    data = pictures.encode(pictures.picture(40, 60), kind, icc_profile=bombs.profile(b"\xff\xff\xff\xff"))
    uid = exposed.submit(ImageList=[PICTURE, base64.b64encode(data).decode()])
    assert exposed.wait(uid)["Status"] == "Finished"
