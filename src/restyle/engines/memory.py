"""Memory of a process: what it has freed returned to the system, and how to tell that there was not enough."""

import ctypes
import sys

UNPREPARED = "could not create a primitive"
"""What oneDNN says when there is no room for a kernel's code. The flag that its code generator (Xbyak, built without
exceptions) sets then is the thread's own and never cleared: nothing new is prepared in that thread any more.
"""
SHORT = ("can't allocate memory", "not enough memory", "out of memory", "STATUS_ALLOC_FAILED", UNPREPARED)
"""What libraries say where they have no exception of their own: torch on a processor, on MPS, in CUDA's libraries."""


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


def is_shortage(error: BaseException) -> bool:
    """Whether an exception says that memory ran out, on whatever device."""
    text = str(error)
    return isinstance(error, MemoryError) or (isinstance(error, RuntimeError) and any(words in text for words in SHORT))


def spoils_thread(error: BaseException) -> bool:
    """Whether, after this, the thread where it happened prepares no kernels any more, with memory or without."""
    at: BaseException | None = error
    while at is not None:
        if isinstance(at, RuntimeError) and UNPREPARED in str(at):
            return True
        at = at.__cause__
    return False
