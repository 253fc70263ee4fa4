"""On PYTHONPATH, writes each host that a Python process asks for or turns to into the file ``RECORDED_CALLS``."""

import os
import sys
from typing import Any

HOST = {"socket.getaddrinfo": 0, "socket.gethostbyname": 0, "socket.gethostbyaddr": 0}
ADDRESS = {"socket.connect": 1, "socket.sendto": 1, "socket.sendmsg": 1}


def record(event: str, given: tuple[Any, ...]) -> None:
    if event in HOST:
        host = given[HOST[event]]
    elif event in ADDRESS and isinstance(given[ADDRESS[event]], tuple):  # others are sockets of this machine
        host = given[ADDRESS[event]][0]
    else:
        return
    file = os.open(os.environ["RECORDED_CALLS"], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    os.write(file, f"{event} {host}\n".encode())
    os.close(file)


sys.addaudithook(record)
