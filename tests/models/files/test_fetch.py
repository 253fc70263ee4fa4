"""At the end the file is right or absent, whatever the line and the server did."""

import os
import random
import resource
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping
from hashlib import sha256
from itertools import pairwise
from pathlib import Path
from typing import Any

import httpx
import pytest

from restyle.models.files.fetch import Wanted, fetch
from restyle.models.files.line import Patience, Source
from restyle.models.files.part import Local, Progress, part_path
from restyle.wire.codes import Code
from restyle.wire.errors import RestyleError
from tests.support import hub as hubs
from tests.support.command import PYTHONPATH
from tests.support.hub import Answer, Hub
from tests.support.patience import PATIENCE

MOST = 10_000_000
CONTENT = random.Random(1).randbytes(1_000_003)
SHA256 = sha256(CONTENT).hexdigest()
RIGHT: dict[str, Any] = {"sha256": SHA256, "size": len(CONTENT)}
SOON = Patience(pause=0.0)
ONCE = Patience(tries=1)
ADVICE = {401: "log in first"}
CUT = (Answer(cut=400_000), Answer(503))
"""With patience for one failure in a row, this leaves the first 400,000 bytes."""

KILLED = """
import sys, httpx
from pathlib import Path
from restyle.models.files.fetch import Wanted, fetch
from restyle.models.files.line import Source
url, target, sha256 = sys.argv[1:]
fetch(httpx.Client(trust_env=False), Wanted(Source(url, loopback=True), Path(target), 10**8, sha256))
"""


def wanted(
    url: str,
    target: Path,
    *,
    most: int = MOST,
    loopback: bool = True,
    own_headers: Mapping[str, str] | None = None,
    **known: Any,
) -> Wanted:
    return Wanted(Source(url, own_headers or {}, ADVICE, loopback), target, most, **known)


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "models" / "base.safetensors"


@pytest.fixture
def get(http: httpx.Client, target: Path) -> Callable[..., Local]:
    def get(
        url: str, *, patience: Patience = SOON, report: Progress = lambda there, total: None, **known: Any
    ) -> Local:
        return fetch(http, wanted(url, target, **known), report=report, patience=patience)

    return get


Get = Callable[..., Local]


def nothing_but(target: Path) -> bool:
    return [path for path in target.parent.rglob("*") if path.is_file()] == [target]


def nothing(target: Path) -> bool:
    return not target.parent.exists() or list(target.parent.iterdir()) == []


def test_a_file_comes_whole_and_is_not_fetched_again(hub: Hub, get: Get, target: Path) -> None:
    url = hub.add("/base", CONTENT)
    seen: list[tuple[int, int | None]] = []
    assert get(url, **RIGHT, report=lambda there, total: seen.append((there, total))) == Local(
        target, SHA256, len(CONTENT)
    )
    assert target.read_bytes() == CONTENT
    assert nothing_but(target)
    assert seen == sorted(seen)
    assert (seen[0], seen[-1]) == ((0, len(CONTENT)), (len(CONTENT), len(CONTENT)))
    get(url, **RIGHT)
    assert len(hub.asked["/base"]) == 1


def test_a_file_that_is_there_and_wrong_is_replaced(hub: Hub, get: Get, target: Path) -> None:
    target.parent.mkdir()
    target.write_bytes(b"damaged")
    get(hub.add("/base", CONTENT), **RIGHT)
    assert target.read_bytes() == CONTENT


@pytest.mark.parametrize("known", [RIGHT, {"sha256": SHA256}, {}])
@pytest.mark.parametrize("chunked", [False, True])
def test_a_line_cut_fifty_times_brings_every_byte_once(
    hub: Hub, get: Get, target: Path, known: dict[str, Any], chunked: bool
) -> None:
    places = sorted(random.Random(2).sample(range(1, len(CONTENT)), 50))
    cuts = [Answer(cut=end - start, chunked=chunked) for start, end in zip([0, *places], places, strict=False)]
    get(hub.add("/base", CONTENT, *cuts, etag='"1"'), **known)
    assert target.read_bytes() == CONTENT
    asked = hub.asked["/base"]
    assert [one.start for one in asked] == [0, *places]
    assert sum(one.sent for one in asked) == len(CONTENT)


def test_a_line_that_breaks_loses_no_more_than_was_under_way(hub: Hub, get: Get, target: Path) -> None:
    chance = random.Random(3)
    cuts = [Answer(cut=chance.randrange(1, 60_000), reset=True) for _ in range(10)]
    get(hub.add("/base", CONTENT, *cuts), **RIGHT)
    assert target.read_bytes() == CONTENT
    asked = hub.asked["/base"]
    for before, after in pairwise(asked):
        assert before.start <= after.start <= before.start + before.sent


def test_a_run_that_is_killed_is_gone_on_with(hub: Hub, target: Path) -> None:
    never = threading.Event()
    places = sorted(random.Random(4).sample(range(1, len(CONTENT)), 5))
    steps = [end - start for start, end in zip([0, *places], places, strict=False)]
    url = hub.add("/base", CONTENT, *(Answer(cut=step, hold=never) for step in steps))
    command = [sys.executable, "-c", KILLED, url, str(target), SHA256]
    environment = {**os.environ, "PYTHONPATH": PYTHONPATH}
    for place in places:
        with subprocess.Popen(command, env=environment) as process:
            while not part_path(target).exists() or part_path(target).stat().st_size < place:
                assert process.poll() is None
            process.send_signal(signal.SIGKILL)
        assert not target.exists()
    subprocess.run(command, env=environment, check=True)
    assert target.read_bytes() == CONTENT
    assert nothing_but(target)
    assert [one.start for one in hub.asked["/base"]][-1] == places[-1]


def test_whoever_stops_a_run_finds_its_beginning_kept(hub: Hub, get: Get, target: Path) -> None:
    url = hub.add("/base", CONTENT)

    def stop(there: int, total: int | None) -> None:
        if there > 300_000:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        get(url, **RIGHT, report=stop)
    kept = part_path(target).stat().st_size
    assert kept > 300_000
    assert not target.exists()
    get(url, **RIGHT)
    assert hub.asked["/base"][-1].start == kept
    assert target.read_bytes() == CONTENT


def test_a_part_may_be_finished_from_another_address(hub: Hub, get: Get, target: Path) -> None:
    with pytest.raises(RestyleError, match="answered 503"):
        get(hub.add("/base", CONTENT, *CUT), **RIGHT, patience=ONCE)
    get(hub.add("/mirror", CONTENT), **RIGHT)
    assert hub.asked["/mirror"][0].start == 400_000
    assert target.read_bytes() == CONTENT


def test_a_part_that_was_damaged_costs_one_more_fetch(hub: Hub, get: Get, target: Path) -> None:
    url = hub.add("/base", CONTENT, *CUT)
    with pytest.raises(RestyleError):
        get(url, **RIGHT, patience=ONCE)
    part_path(target).write_bytes(bytes(400_000))
    get(url, **RIGHT)
    assert [one.start for one in hub.asked["/base"]] == [0, 400_000, 400_000, 0]
    assert target.read_bytes() == CONTENT


def test_a_part_of_another_file_is_not_gone_on_with(hub: Hub, get: Get, target: Path) -> None:
    with pytest.raises(RestyleError):
        get(hub.add("/old", bytes(900_000), *CUT), sha256="0" * 64, patience=ONCE)
    get(hub.add("/base", CONTENT), **RIGHT)
    assert hub.asked["/base"][0].start == 0
    assert target.read_bytes() == CONTENT


def test_a_whole_part_asks_for_nothing(hub: Hub, get: Get, target: Path) -> None:
    """As of a run killed between the last byte and the move."""
    url = hub.add("/base", CONTENT, Answer(cut=len(CONTENT) - 1), Answer(503))
    with pytest.raises(RestyleError):
        get(url, **RIGHT, patience=ONCE)
    with part_path(target).open("ab") as file:
        file.write(CONTENT[-1:])
    get(url, **RIGHT)
    assert len(hub.asked["/base"]) == 2
    assert nothing_but(target)


@pytest.mark.parametrize("content", [CONTENT[:-1] + b"x", CONTENT + b"x", CONTENT[:-1], b""])
@pytest.mark.parametrize("known", [RIGHT, {"sha256": SHA256}])
def test_another_file_never_gets_into_place(
    hub: Hub, get: Get, target: Path, content: bytes, known: dict[str, Any]
) -> None:
    with pytest.raises(RestyleError, match=r"base (is another file|sends more than|ended early)") as caught:
        get(hub.add("/base", content), **known)
    assert caught.value.code is Code.INTERNAL_ERROR
    assert nothing(target)


def test_the_hashes_found_and_wanted_are_named(hub: Hub, get: Get) -> None:
    with pytest.raises(RestyleError, match=f"its SHA-256 is {sha256(b'x').hexdigest()}, not {SHA256}"):
        get(hub.add("/base", b"x"), sha256=SHA256)


@pytest.mark.parametrize("lie", [len(CONTENT) + 5000, len(CONTENT) - 5000])
def test_a_length_that_lies(hub: Hub, get: Get, target: Path, lie: int) -> None:
    with pytest.raises(RestyleError, match=f"it has {lie:,} bytes, not {len(CONTENT):,}"):
        get(hub.add("/base", CONTENT, Answer(length=lie)), **RIGHT)
    assert nothing(target)
    url = hub.add("/lies", CONTENT, *[Answer(length=lie)] * 9)
    if lie > len(CONTENT):  # all came: asked for the rest, the server says that there is none
        get(url, sha256=SHA256)
        assert target.read_bytes() == CONTENT
    else:
        with pytest.raises(RestyleError, match="is another file"):
            get(url, sha256=SHA256)
        assert nothing(target)


def test_a_server_that_sends_everything_again_is_taken_from_the_start(hub: Hub, get: Get, target: Path) -> None:
    get(hub.add("/base", CONTENT, Answer(cut=5000), Answer(ranges=False)), **RIGHT)
    assert target.read_bytes() == CONTENT


def test_a_server_that_sends_another_piece_is_asked_anew(hub: Hub, get: Get, target: Path) -> None:
    other = Answer(headers={"Content-Range": f"bytes 7-{len(CONTENT) - 1}/{len(CONTENT)}"}, body=CONTENT)
    get(hub.add("/base", CONTENT, Answer(cut=5000), other), **RIGHT)
    assert target.read_bytes() == CONTENT


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504])
def test_what_passes_is_waited_for(hub: Hub, get: Get, target: Path, status: int) -> None:
    busy = Answer(status, headers={"Retry-After": "0"})
    get(hub.add("/base", CONTENT, busy, Answer(cut=70_000), busy, busy), **RIGHT, patience=Patience(longest=0.0))
    assert [one.start for one in hub.asked["/base"]] == [0, 0, 70_000, 70_000, 70_000]
    assert target.read_bytes() == CONTENT


def test_what_does_not_pass_is_given_up(hub: Hub, get: Get, target: Path) -> None:
    with pytest.raises(RestyleError, match="answered 503 Service Unavailable, 5 times in a row"):
        get(hub.add("/base", CONTENT, *[Answer(503)] * 9), **RIGHT)
    assert len(hub.asked["/base"]) == 5
    assert nothing(target)


@pytest.mark.parametrize("status", [400, 401, 403, 404, 410, 304])
def test_what_stays_is_asked_once(hub: Hub, get: Get, target: Path, status: int) -> None:
    with pytest.raises(RestyleError, match=f"/base answered {status} "):
        get(hub.add("/base", CONTENT, Answer(status)), **RIGHT)
    assert len(hub.asked["/base"]) == 1
    assert nothing(target)


def test_the_waiting_grows_and_follows_the_server(hub: Hub, get: Get) -> None:
    slept: list[float] = []
    busy, told = Answer(503), Answer(429, headers={"Retry-After": "7"})
    url = hub.add("/base", CONTENT, busy, busy, told, busy, Answer(cut=9), busy)
    get(url, **RIGHT, patience=Patience(longest=9.0, sleep=slept.append))
    assert slept == [1.0, 2.0, 7.0, 8.0, 1.0, 1.0]


def test_what_to_do_about_a_status_is_said_of_the_first_host_alone(hub: Hub, get: Get) -> None:
    with pytest.raises(RestyleError, match="answered 401 Unauthorized; log in first"):
        get(hub.add("/base", CONTENT, Answer(401)), **RIGHT)
    with hubs.hub() as store:
        there = store.add("/blob", CONTENT, Answer(401))
        with pytest.raises(RestyleError, match=r"answered 401 Unauthorized$"):
            get(hub.add("/base", b"", Answer(302, {"Location": there})), **RIGHT)


def test_an_address_at_a_second_host_that_ran_out_is_asked_for_anew(hub: Hub, get: Get, target: Path) -> None:
    with hubs.hub() as store:
        old = Answer(302, {"Location": store.add("/old", CONTENT, Answer(cut=500), Answer(403))})
        new = Answer(302, {"Location": store.add("/new", CONTENT)})
        get(hub.add("/base", b"", old, old, new), **RIGHT)
        assert [one.start for one in store.asked["/new"]] == [500]
    assert target.read_bytes() == CONTENT


def test_nobody_there(get: Get, target: Path) -> None:
    with hubs.hub() as gone:
        url = gone.add("/base", CONTENT)
    with pytest.raises(RestyleError, match=r"/base cannot be fetched: .*, 5 times in a row"):
        get(url, **RIGHT)
    assert nothing(target)


def test_a_silent_line_is_lost(hub: Hub, target: Path) -> None:
    silent = Answer(cut=1000, hold=threading.Event())
    url = hub.add("/base", CONTENT, silent)
    with httpx.Client(trust_env=False, timeout=1.0) as http:
        fetch(http, wanted(url, target, **RIGHT), patience=SOON)
    assert target.read_bytes() == CONTENT


def test_a_token_goes_to_its_own_host_alone(hub: Hub, get: Get, target: Path) -> None:
    with hubs.hub() as store:
        there = store.add("/blob?signature=secret", CONTENT)
        url = hub.add("/base", b"", Answer(302, {"Location": "/moved"}))
        hub.add("/moved", b"", Answer(307, {"Location": there}))
        get(url, **RIGHT, own_headers={"Authorization": "Bearer mine"})
        assert hub.asked["/base"][0].headers["Authorization"] == "Bearer mine"
        assert hub.asked["/moved"][0].headers["Authorization"] == "Bearer mine"
        assert "Authorization" not in store.asked["/blob?signature=secret"][0].headers
    assert target.read_bytes() == CONTENT


def test_what_may_be_secret_in_an_address_is_not_shown(hub: Hub, get: Get) -> None:
    url = hub.add("/base", b"", Answer(302, {"Location": "/blob?signature=secret"}))
    with pytest.raises(RestyleError, match="/blob answered 404") as caught:
        get(url, **RIGHT)
    assert "secret" not in caught.value.message


@pytest.mark.parametrize(
    "address", ["http://example.com/x", "file:///etc/passwd", "ftp://127.0.0.1/x", "https:nowhere", "//x", "x y", ""]
)
def test_only_https_is_followed(hub: Hub, get: Get, target: Path, address: str) -> None:
    with pytest.raises(RestyleError, match=r"(no|not an) (https )?address"):
        get(address, **RIGHT)
    if "//" in address and address != "//x":
        with pytest.raises(RestyleError, match="is not an https address"):
            get(hub.add("/base", b"", Answer(302, {"Location": address})), **RIGHT)
    assert nothing(target)


def test_this_machine_is_reached_without_https_only_when_that_is_said(hub: Hub, get: Get) -> None:
    with pytest.raises(RestyleError, match="is not an https address"):
        get(hub.add("/base", CONTENT), **RIGHT, loopback=False)
    assert hub.asked["/base"] == []


def test_a_circle_of_redirects_ends(hub: Hub, get: Get) -> None:
    circle = Answer(302, {"Location": "/base"})
    with pytest.raises(RestyleError, match="redirects more than 10 times"):
        get(hub.add("/base", b"", *[circle] * 20), **RIGHT)


@pytest.mark.parametrize("answer", [Answer(), Answer(chunked=True)])
def test_no_more_than_the_limit_is_taken(hub: Hub, get: Get, target: Path, answer: Answer) -> None:
    with pytest.raises(RestyleError, match=r"at most 999,999 are fetched|sends more than 999,999 bytes"):
        get(hub.add("/base", CONTENT, answer), most=999_999)
    with pytest.raises(RestyleError, match="at most 999,999 are fetched"):
        get(hub.add("/base", CONTENT), most=999_999, size=len(CONTENT))
    assert nothing(target)


def test_a_body_without_an_end_is_refused(hub: Hub, get: Get, target: Path) -> None:
    with pytest.raises(RestyleError, match="does not say how long the file is"):
        get(hub.add("/base", CONTENT, Answer(length=0)))
    assert nothing(target)


def test_a_compressed_body_is_refused(hub: Hub, get: Get, target: Path) -> None:
    with pytest.raises(RestyleError, match="sends the file compressed"):
        get(hub.add("/base", CONTENT, Answer(headers={"Content-Encoding": "gzip"})))
    assert nothing(target)


def test_a_disk_without_room_is_told_before_anything_comes(hub: Hub, get: Get, target: Path) -> None:
    with pytest.raises(RestyleError, match=r"takes 1,152,921,504,606,846,976 more bytes, and its disk has [\d,]+ free"):
        get(hub.add("/base", CONTENT, Answer(length=2**60)), most=2**62)
    assert not target.exists()


def test_a_disk_that_fills_up_leaves_a_beginning(hub: Hub, get: Get, target: Path) -> None:
    url = hub.add("/base", CONTENT)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, hard))
    try:
        with pytest.raises(RestyleError, match=r"cannot write .*base\.safetensors: file too large"):
            get(url, **RIGHT)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert not target.exists()
    get(url, **RIGHT)
    assert hub.asked["/base"][-1].start == 200_000
    assert target.read_bytes() == CONTENT


def test_a_folder_that_cannot_be_written_is_named(hub: Hub, get: Get, target: Path) -> None:
    target.parent.write_text("a file in the way")
    with pytest.raises(RestyleError, match="its folder must be writable"):
        get(hub.add("/base", CONTENT), **RIGHT)


def test_two_runs_at_once_fetch_once(hub: Hub, target: Path) -> None:
    """The second sees how far the first is, and finds the file there when its turn comes."""
    waited = threading.Event()
    url = hub.add("/base", CONTENT, Answer(cut=300_000, hold=waited))
    came: list[Local] = []

    def run(report: Callable[[int, int | None], None]) -> None:
        with httpx.Client(trust_env=False) as http:
            came.append(fetch(http, wanted(url, target, **RIGHT), report=report))

    begun = threading.Event()
    first = threading.Thread(target=run, args=(lambda there, total: begun.set() if there == 300_000 else None,))
    first.start()
    assert begun.wait(PATIENCE)
    run(lambda there, total: waited.set() if there == 300_000 else None)
    first.join(PATIENCE)
    assert came == [Local(target, SHA256, len(CONTENT))] * 2
    assert len(hub.asked["/base"]) == 1
    assert nothing_but(target)


def test_without_a_hash_the_same_version_is_gone_on_with(hub: Hub, get: Get, target: Path) -> None:
    url = hub.add("/base", CONTENT, *CUT, etag='"one"')
    with pytest.raises(RestyleError):
        get(url, patience=ONCE)
    assert get(url).sha256 == SHA256
    assert hub.asked["/base"][-1].start == 400_000


@pytest.mark.parametrize("etag", ['"one"', 'W/"one"', ""])
def test_without_a_hash_nothing_is_put_together_from_two_versions(hub: Hub, get: Get, target: Path, etag: str) -> None:
    url = hub.add("/base", bytes(len(CONTENT)), *CUT, etag=etag)
    with pytest.raises(RestyleError):
        get(url, patience=ONCE)
    hub.add("/base", CONTENT, etag='"two"')
    assert get(url).sha256 == SHA256
    hub.etags.clear()
    hub.add("/base", CONTENT, Answer(cut=400_000))
    assert get(url).sha256 == SHA256
    assert target.read_bytes() == CONTENT


def test_without_a_hash_a_file_in_place_is_fetched_again(hub: Hub, get: Get, target: Path) -> None:
    get(hub.add("/base", b"old"))
    assert get(hub.add("/base", CONTENT)).sha256 == SHA256
