"""A network in which every call is recorded, and a home in which every file is noticed: Restyle needs neither."""

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from ipaddress import ip_address
from pathlib import Path

from tests.support.command import PYTHONPATH

RECORDER = Path(__file__).with_name("recorder")
CI = ("CI", "TF_BUILD", "JENKINS_URL")
"""Where one of them is set, some libraries are more silent than with a user."""


@contextmanager
def silent(folder: Path, *, writable: bool = True) -> Iterator[dict[str, str]]:
    """Environment variables for processes that may talk to this machine and to nobody else, and must leave no trace.

    At the end of the block it is asserted that they did: Python's own calls are recorded in each process, also in
    those that it starts or forks, and code that does not call through Python meets a proxy that must stay unused. Some
    libraries stay silent of themselves where the home is not ``writable``.
    """
    calls, home = folder / "calls", folder / "home"
    if writable:
        home.mkdir(exist_ok=True)
    else:
        home.touch()  # a file: below it not even root can make one
    with socket.create_server(("127.0.0.1", 0)) as proxy:
        address = f"http://127.0.0.1:{proxy.getsockname()[1]}"
        proxies = {f"{scheme}_proxy": address for scheme in ("http", "https", "all")}
        yield {
            "PYTHONPATH": f"{RECORDER}{os.pathsep}{PYTHONPATH}",
            "RECORDED_CALLS": str(calls),
            "HOME": str(home),
            **dict.fromkeys(CI, ""),
            **proxies,
            **{name.upper(): value for name, value in proxies.items()},
            "no_proxy": "127.0.0.1,localhost",
            "NO_PROXY": "127.0.0.1,localhost",
        }
        recorded = calls.read_text().splitlines() if calls.exists() else []
        elsewhere = [line for line in recorded if not _is_here(line.split()[1])]
        assert not elsewhere, f"called: {elsewhere}"
        assert not writable or not [*home.rglob("*")], f"written: {[*home.rglob('*')]}"
        proxy.setblocking(False)
        try:
            connection, _ = proxy.accept()
        except BlockingIOError:
            return
        with connection:
            raise AssertionError(f"the proxy was asked: {connection.recv(200)!r}")


def _is_here(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
