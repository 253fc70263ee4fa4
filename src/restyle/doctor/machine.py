"""What an installation runs on: disk, memory, the port."""

import shutil
import socket
from collections.abc import Iterator

import httpx
import psutil

from restyle.doctor.finding import Finding, finding
from restyle.settings import MIB, Settings

DISK_BYTES = 1024 * MIB
WORKER_BYTES = 700 * MIB
"""What a worker needs for pictures of 1024 x 1024."""


def disk(settings: Settings) -> Iterator[Finding]:
    place = settings.data_dir.absolute()
    while not place.exists():
        place = place.parent
    free = shutil.disk_usage(place).free
    yield finding(
        "disk", free >= DISK_BYTES, f"{free / MIB:,.0f} MiB free at {place}", "free 1 GiB, or move the data folder"
    )


def memory(settings: Settings) -> Iterator[Finding]:
    free = psutil.virtual_memory().available
    wanted = settings.workers * WORKER_BYTES
    mend = f"{settings.workers} workers want {wanted / MIB:,.0f} MiB; set RESTYLE_WORKERS lower, or end other programs"
    yield finding("memory", free >= wanted, f"{free / MIB:,.0f} MiB available", mend)


def port(settings: Settings) -> Iterator[Finding]:
    where = f"{settings.host}:{settings.port}"
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            settings.host, settings.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        with socket.socket(family, kind, protocol) as listener:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(address)
    except OSError as error:
        if _answers(settings):
            yield finding("port", True, f"a Restyle service answers at {where}")
            return
        reason = (error.strerror or str(error)).lower()
        yield finding("port", False, f"{where}: {reason}", "set RESTYLE_PORT or RESTYLE_HOST to one that is free")
    else:
        yield finding("port", True, f"{where} is free")


def _answers(settings: Settings) -> bool:
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    try:
        answer = httpx.get(f"http://{host}:{settings.port}/healthz", timeout=2, trust_env=False)
        return answer.status_code == 200 and answer.json().get("RetCode") == 0
    except (httpx.HTTPError, ValueError, AttributeError):
        return False
