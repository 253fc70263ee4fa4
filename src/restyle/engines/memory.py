"""What a process has freed, returned to the system: glibc keeps it for the next use."""

import ctypes
import sys


def give_back() -> None:
    """Return what is free to the kernel. Does nothing where the C library is not glibc."""
    if library := glibc():
        library.malloc_trim(0)


def glibc() -> ctypes.CDLL | None:
    """The C library, where it is glibc."""
    if sys.platform != "linux":
        return None
    library = ctypes.CDLL(None)
    return library if hasattr(library, "gnu_get_libc_version") else None
