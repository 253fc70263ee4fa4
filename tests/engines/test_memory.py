"""How running out of memory is told from other failures."""

import pytest

from restyle.engines.memory import is_shortage, spoils_thread
from restyle.wire.codes import Code
from restyle.wire.errors import RestyleError

UNPREPARED = "could not create a primitive"


@pytest.mark.parametrize(
    "text",
    [
        "[enforce fail at alloc_cpu.cpp:125] DefaultCPUAllocator: can't allocate memory: you tried to allocate 8 bytes",
        "MPS backend out of memory (MPS allocated: 18.04 GB, other allocations: 92.86 MB, max allowed: 18.13 GB)",
        UNPREPARED,
        "CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`",
    ],
)
def test_every_device_has_its_own_words_for_it(text: str) -> None:
    assert is_shortage(RuntimeError(text))
    assert not is_shortage(ValueError(text))


def test_a_thread_is_spoiled_whoever_tells_it() -> None:
    def told(by: Exception, cause: Exception) -> Exception:
        by.__cause__ = cause
        return by

    short = RestyleError(Code.OUT_OF_MEMORY, "64 x 64 would fit")
    assert spoils_thread(RuntimeError(UNPREPARED))
    assert spoils_thread(told(short, RuntimeError(UNPREPARED)))
    assert not spoils_thread(told(short, MemoryError()))
    assert not spoils_thread(RuntimeError("CUDA out of memory"))
