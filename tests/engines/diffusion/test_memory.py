"""Running out of memory, and numbers that are none: told as errors, with nothing left behind."""

import resource
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from safetensors.torch import load_file, save_file

from restyle.engines.diffusion.memory import Needs
from restyle.models.kinds import Architecture
from restyle.wire.codes import Code
from restyle.wire.errors import RestyleError
from tests.support.pictures import picture
from tests.support.studio import Studio, Sub

SD15 = Needs(vae=128, unet=320, number=2, sides=2, native=512)
SDXL = Needs(vae=128, unet=320, number=2, sides=2, native=1024)
GIB = 1024**3


def test_needs_grow_with_the_picture_and_are_bounded_by_tiles() -> None:
    for needs in (SD15, SDXL):
        sizes = [needs.bytes(side, side) for side in (256, 512, 1024)]
        assert sizes == sorted(sizes)
        # above that only the pictures themselves grow
        assert needs.bytes(2560, 2560) < 1.3 * needs.bytes(1280, 1280) + 2560 * 2560 * 3 * 4 * 10
    assert SD15.bytes(2560, 2560) < 4 * GIB


def test_what_is_proposed_fits_and_is_smaller() -> None:
    found = SD15.smaller(1024, 768, 2 * GIB)
    assert found is not None
    assert found[0] < 1024
    assert found[0] / found[1] == pytest.approx(4 / 3, rel=0.05)
    assert SD15.bytes(*found) <= 2 * GIB
    assert SD15.smaller(1024, 768, 1000) is None


def status(name: str) -> int:
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith(name))
    return int(line.split()[1]) * 1024


def test_out_of_memory_names_what_would_fit_and_the_engine_goes_on(studio: Studio) -> None:
    before = studio.plain("sd15 folder")
    # its tensors of 40 MiB are beyond what the C library gives anew from memory that it has kept
    large = np.asarray(picture(576, 576))
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    # A thread whose oneDNN has run out of memory prepares no kernels any more: not the thread of other tests.
    with ThreadPoolExecutor(1) as thread:
        thread.submit(int).result()
        resource.setrlimit(resource.RLIMIT_AS, (status("VmSize:") + 32 * 1024**2, hard))
        try:
            with pytest.raises(RestyleError) as caught:
                thread.submit(studio.draw, "sd15 folder", raw=large, subs=(Sub("sd15 lora"),)).result()
        finally:
            resource.setrlimit(resource.RLIMIT_AS, (soft, hard))
    assert caught.value.code == Code.OUT_OF_MEMORY
    assert "would fit" in caught.value.message
    assert "x" in caught.value.message.split(";")[-1]
    assert np.array_equal(studio.draw("sd15 folder"), before)


def test_a_picture_beyond_the_machine_is_refused_before_it_is_tried(
    studio: Studio, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(type(studio.engine._device), "free_bytes", lambda device: 6_000_000)
    seen: list[float] = []
    with pytest.raises(RestyleError, match=r"\d+ x \d+ would fit") as caught:
        studio.draw("sd15 folder", seen.append, raw=np.asarray(picture(512, 512)))
    assert caught.value.code == Code.OUT_OF_MEMORY
    assert max(seen) == 0


def test_numbers_that_are_none_are_an_error_and_not_a_black_picture(studio: Studio, base: str) -> None:
    before = studio.plain(f"{base} folder")
    path = studio.files / f"{base}-huge.safetensors"
    save_file(
        {name: value * 1e18 for name, value in load_file(studio.files / f"{base}-lora2.safetensors").items()}, path
    )
    with (
        studio.registered(path.name, architecture=Architecture(base)) as file,
        pytest.raises(RestyleError, match="no numbers") as caught,
    ):
        studio.draw(f"{base} folder", subs=(Sub(file.name, 2.0),))
    assert caught.value.code == Code.ENGINE_FAILED
    assert np.array_equal(studio.draw(f"{base} folder"), before)


def test_checkpoints_are_let_go_beyond_the_bound(studio: Studio) -> None:
    small = Studio(studio.files.parent, cache_bytes=1)
    first = small.draw("sd15 folder")
    assert np.array_equal(small.draw("sdxl folder"), studio.plain("sdxl folder"))
    assert not small.engine._stock.holds(small.file("sd15 folder"))
    assert np.array_equal(small.draw("sd15 folder"), first)
