"""What a checker says of pictures that are good, bad and hostile, and what it may take for that."""

from collections.abc import Iterator

import psutil
import pytest

from restyle.images.checking.pool import Checkers
from restyle.images.decode import decode
from restyle.images.limits import Limits
from tests.support import bombs, heif, pictures
from tests.support.checkers import GOOD, MEMORY, look, peak, pooled, processes, refusal
from tests.support.command import PYTHONPATH


@pytest.fixture(scope="module")
def checkers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Checkers]:
    pool = pooled(tmp_path_factory.mktemp("pool"), max_image_pixels=bombs.MAX_PIXELS)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", PYTHONPATH)
        yield pool
    pool.close()


@pytest.mark.parametrize("name", bombs.HOSTILE)
def test_hostile_pictures_are_refused_in_little_memory(checkers: Checkers, name: str) -> None:
    make, says = bombs.HOSTILE[name]
    assert says in refusal(checkers, make())
    look(checkers, GOOD)
    assert max(peak(process) for process in processes()) < MEMORY


def test_what_is_only_listed_is_not_decoded(checkers: Checkers) -> None:
    undecodable = pictures.png_header(9, 9) + pictures.png_chunk(b"IDAT", b"junk") + pictures.png_chunk(b"IEND", b"")
    look(checkers, undecodable, decoded=False)
    assert "damaged PNG" in refusal(checkers, undecodable)
    assert "not a readable picture" in refusal(checkers, b"junk", decoded=False)


def test_memory_past_a_pictures_share_is_not_given(checkers: Checkers) -> None:
    greedy = bombs.wide_dictionary()
    assert decode(greedy, Limits(10**9, 10**9), field="x").shape == (40, 60, 3)  # nothing else is wrong with it
    assert "damaged TIFF" in refusal(checkers, greedy)
    look(checkers, heif.heic("alpha"))
    look(checkers, heif.grid(8, 8, 768, 512))
    for process in processes():
        assert process.rlimit(psutil.RLIMIT_DATA)[0] < MEMORY
