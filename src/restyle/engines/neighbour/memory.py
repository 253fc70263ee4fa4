"""How the C library handles large blocks: kept for the next use while a picture is drawn, given back after it.

Every update allocates and frees activations of many megabytes. By default glibc asks the kernel for each of them anew,
and filling them with zeroed pages takes longer than most of the arithmetic done on them (see mallopt(3)).
"""

from restyle.engines.memory import glibc

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
"""M_TRIM_THRESHOLD and M_MMAP_THRESHOLD of malloc.h."""
_LARGEST = 2**31 - 1


def keep_blocks() -> None:
    """From now on, in the whole process. Does nothing where the C library is not glibc."""
    if library := glibc():
        library.mallopt(_MMAP_THRESHOLD, _LARGEST)
        library.mallopt(_TRIM_THRESHOLD, _LARGEST)
