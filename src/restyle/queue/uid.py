"""Task UIDs are xids: 4 bytes of Unix seconds, 3 of machine, 2 of process and 3 of a counter in base32hex.

Twenty lower-case characters that sort by time. The form is described at https://github.com/rs/xid.
"""

import base64
import hashlib
import itertools
import os
import secrets
import socket
import time

_machine = hashlib.sha256(socket.gethostname().encode()).digest()[:3]
_counter = itertools.count(secrets.randbelow(1 << 24))


def new_uid() -> str:
    """A new xid, 20 characters ``0-9a-v``."""
    raw = (
        int(time.time()).to_bytes(4, "big")
        + _machine
        + (os.getpid() & 0xFFFF).to_bytes(2, "big")
        + (next(_counter) & 0xFFFFFF).to_bytes(3, "big")  # next() on count is one step: threads never share a number
    )
    return base64.b32hexencode(raw).decode().rstrip("=").lower()


def created(uid: str) -> int:
    """Unix seconds at which ``uid`` was made. Raises :class:`ValueError` for what is no xid."""
    if len(uid) != 20 or not uid.isascii() or uid != uid.lower():
        raise ValueError(f"{uid!r} is not an xid: 20 characters 0-9a-v")
    return int.from_bytes(base64.b32hexdecode(uid.upper() + "====")[:4], "big")
