"""Several files at a time: one tally, one way to stop, and every byte once."""

import random
import threading
from hashlib import sha256
from pathlib import Path

import httpx
import pytest

from restyle.models.files.fetch import Wanted
from restyle.models.files.line import Patience, Source
from restyle.models.files.several import Tally, fetch_all
from restyle.wire.errors import RestyleError
from tests.support.hub import Answer, Hub
from tests.support.patience import PATIENCE

CONTENTS = [random.Random(number).randbytes(100_000 + number) for number in range(6)]
TOTAL = sum(map(len, CONTENTS))
SOON = Patience(pause=0.0)


def wanted(hub: Hub, folder: Path, *answers: tuple[Answer, ...]) -> list[Wanted]:
    found = []
    for number, content in enumerate(CONTENTS):
        url = hub.add(f"/{number}", content, *(answers[number] if number < len(answers) else ()))
        source = Source(url, loopback=True)
        found.append(Wanted(source, folder / str(number), 10**6, sha256(content).hexdigest(), len(content)))
    return found


def test_all_come_and_the_tally_tells_how_far_it_is(hub: Hub, http: httpx.Client, tmp_path: Path) -> None:
    seen: list[Tally] = []
    cuts = tuple((Answer(cut=random.Random(number).randrange(1, 99_000)), Answer(500)) for number in range(6))
    found = fetch_all(http, wanted(hub, tmp_path, *cuts), report=seen.append, patience=SOON)
    assert [local.path.read_bytes() for local in found] == CONTENTS
    assert [tally.there for tally in seen] == sorted(tally.there for tally in seen)
    assert {(tally.files, tally.total) for tally in seen} == {(6, TOTAL)}
    assert seen[-1] == Tally(6, 6, TOTAL, TOTAL)
    for number in range(6):
        starts = [(one.start, one.sent) for one in hub.asked[f"/{number}"]]
        assert sum(sent for _, sent in starts) == len(CONTENTS[number])


def test_several_are_under_way_beside_each_other(hub: Hub, http: httpx.Client, tmp_path: Path) -> None:
    """The first is held until the second is there."""
    go_on = threading.Event()

    def look(tally: Tally) -> None:
        if tally.done == 1:
            go_on.set()

    first = Answer(cut=10, hold=go_on)
    assert len(fetch_all(http, wanted(hub, tmp_path, (first,)), report=look, at_once=2)) == 6


def test_what_fails_stops_the_others_and_their_beginnings_stay(hub: Hub, http: httpx.Client, tmp_path: Path) -> None:
    """Also one that waits for its next try, whatever time that takes."""
    begun = threading.Event()
    waiting = Answer(503, headers={"Retry-After": "60"})
    held = Answer(404, hold=begun)
    files = wanted(hub, tmp_path, (Answer(cut=50_000), waiting, waiting), (held,))

    def look(tally: Tally) -> None:
        begun.set()

    with pytest.raises(RestyleError, match="/1 answered 404"):
        fetch_all(http, files, report=look)
    assert not (tmp_path / "1").exists()
    for number in (0, 2, 3, 4, 5):
        kept = tmp_path / str(number)
        assert not kept.exists() or kept.read_bytes() == CONTENTS[number]


def test_whoever_interrupts_need_not_wait_for_a_silent_line(hub: Hub, http: httpx.Client, tmp_path: Path) -> None:
    never = threading.Event()
    files = wanted(hub, tmp_path, *[(Answer(cut=30_000, hold=never),) for _ in range(6)])

    def stop(tally: Tally) -> None:
        if tally.there >= 60_000:
            raise KeyboardInterrupt

    raised = threading.Event()

    def run() -> None:
        try:
            fetch_all(http, files, report=stop, at_once=2)
        except KeyboardInterrupt:
            raised.set()

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    assert raised.wait(PATIENCE)
    never.set()
    thread.join(PATIENCE)
    assert fetch_all(http, files)[0].path.read_bytes() == CONTENTS[0]
    assert hub.asked["/0"][-1].start > 0


def test_the_room_for_all_is_looked_at_before_anything_comes(hub: Hub, http: httpx.Client, tmp_path: Path) -> None:
    files = wanted(hub, tmp_path / "new")
    files.append(Wanted(files[0].source, tmp_path / "new" / "huge", 2**61, about=2**60))
    with pytest.raises(RestyleError, match=r"new, for 7 files, takes 1,152,921,50[\d,]+ more bytes"):
        fetch_all(http, files)
    assert not hub.asked
    assert not (tmp_path / "new").exists()


def test_nothing_wanted_is_nothing_done(http: httpx.Client) -> None:
    assert fetch_all(http, []) == []
