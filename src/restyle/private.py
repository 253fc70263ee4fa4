"""Files and folders that are their owner's alone, whatever the umask and whatever mode they had."""

import os
import stat
from pathlib import Path

from restyle.wire.codes import Code
from restyle.wire.errors import RestyleError

OURS = frozenset({"restyle.sqlite3", "key", "objects", "models", "languages", "styles"})
"""What tells that a folder is a data folder."""
OTHERS = 0o077
"""The bits of a mode that let others in."""
BEYOND_THE_GROUP = 0o037
"""Those that let in more than a group that may read."""


def make_private(path: Path) -> Path:
    """``path``, a file from now on if it was none, and its owner's alone.

    Raises :class:`RestyleError` (5000) where the mode is not ours to change.
    """
    path.touch(mode=0o600)
    close_to_others(path)
    return path


def close_to_others(path: Path) -> None:
    """Take from others what they may do with a file that is there. Raises as :func:`make_private`."""
    if path.stat().st_mode & OTHERS:
        try:
            path.chmod(0o600)
        except PermissionError as error:
            raise RestyleError(
                Code.INTERNAL_ERROR, f"{path} can be read by others; let its owner mend it with: chmod 600 {path}"
            ) from error


def may_be_read_by_others(found: os.stat_result) -> bool:
    """Whether a secret file is open to more than those it is for.

    That is its owner alone, where that is us. A file of another user is for a group of ours that may read it: so
    arrives what an orchestrator mounts, owned by root, for a container without root (0440 by Kubernetes' ``fsGroup``).
    """
    given = found.st_uid != os.geteuid() and found.st_gid in {os.getegid(), *os.getgroups()}
    return bool(found.st_mode & (BEYOND_THE_GROUP if given else OTHERS))


def make_data_folder(folder: Path) -> bool:
    """Make the data folder if need be, and close it to others. Returns whether it is closed now.

    A folder that was there is closed where it is empty or holds what is ours. Any other, such as ``/tmp``, is somebody
    else's too and keeps its mode, as does one of another owner. Raises :class:`RestyleError` (5000) where it cannot be
    made or used.
    """
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        found = folder.stat()
        names = set(os.listdir(folder))
        if found.st_mode & OTHERS and may_be_closed(found, names):
            folder.chmod(0o700)
            found = folder.stat()
    except OSError as error:
        raise RestyleError(
            Code.INTERNAL_ERROR,
            f"the data folder {folder.absolute()} cannot be used: {error.strerror or error}; give it to this user with "
            "chown, or set RESTYLE_DATA_DIR to another folder",
            field="data_dir",
        ) from error
    if not writable(folder):
        raise RestyleError(
            Code.INTERNAL_ERROR,
            f"the data folder {folder.absolute()} cannot be written by this user; give it to this user with chown, or "
            "set RESTYLE_DATA_DIR to another folder",
            field="data_dir",
        )
    return not found.st_mode & OTHERS


def writable(folder: Path) -> bool:
    """Whether this user may make files in ``folder``."""
    return os.access(folder, os.W_OK | os.X_OK, effective_ids=os.access in os.supports_effective_ids)


def may_be_closed(found: os.stat_result, names: set[str]) -> bool:
    """Whether a folder that holds ``names`` is a data folder, or can become one, and its mode is ours to change."""
    shared = bool(found.st_mode & stat.S_ISVTX)
    return found.st_uid == os.geteuid() and not shared and (not names or bool(names & OURS))
