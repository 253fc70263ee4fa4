import threading
import warnings

import pytest

from restyle.images.decode import decode
from restyle.images.limits import Limits
from restyle.images.quiet import quiet
from tests.support import pictures
from tests.support.patience import PATIENCE

LIMITS = Limits(1_000_000, 1_000_000)


def pillow_warns(text: str) -> None:
    warnings.warn_explicit(text, UserWarning, "Image.py", 1, module="PIL.Image")


def test_only_pillow_is_silent_and_only_here() -> None:
    inside, heard_outside = threading.Event(), threading.Event()

    def decode_slowly() -> None:
        with quiet():
            inside.set()
            assert heard_outside.wait(PATIENCE)
            pillow_warns("within")
            warnings.warn_explicit("another library", UserWarning, "other.py", 1, module="other")

    with warnings.catch_warnings(record=True) as heard:
        warnings.simplefilter("always")
        before = list(warnings.filters)
        thread = threading.Thread(target=decode_slowly)
        thread.start()
        assert inside.wait(PATIENCE)
        pillow_warns("outside")
        heard_outside.set()
        thread.join(PATIENCE)
        assert list(warnings.filters) == before
    assert [str(warning.message) for warning in heard] == ["outside", "another library"]


def test_threads_do_not_wait_for_one_another() -> None:
    with quiet():
        inner = threading.Thread(
            target=decode, args=(pictures.encode(pictures.picture(4, 4), "PNG"), LIMITS), kwargs={"field": "x"}
        )
        inner.start()
        inner.join(PATIENCE)
        assert not inner.is_alive()


def test_a_caller_that_makes_errors_of_warnings_still_gets_the_picture() -> None:
    broken = pictures.encode(
        pictures.picture(4, 4), "JPEG", exif=b"Exif\0\0II*\0\x08\0\0\0\1\0\x0e\1\2\0\xff\0\0\0\xff\0\0\0"
    )
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert decode(broken, LIMITS, field="x").shape == (4, 4, 3)
        with pytest.raises(UserWarning, match="mine"):
            pillow_warns("mine")
