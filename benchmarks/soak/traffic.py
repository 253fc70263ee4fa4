"""Clients of the long load, each in a process of its own, so that none of them slows another's clock."""

import base64
import json
import os
import random
import socket
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from io import BytesIO
from typing import Any
from urllib.parse import urlsplit

import httpx
import numpy as np
from PIL import Image

from restyle.accounts.keys import KeyPair
from restyle.wire.signature import sign
from tests.support.mortal import IMAGES, MortalService

BODY_BYTES = (1 << 20, 20 * 10**6)
PREPARED = 6
POLL_SECONDS = 0.1
TIMEOUT = 120.0
NICENESS = 3
"""Of clients that only make load: they would have machines of their own, and here they share the service's cores."""
FULL = (4008, 4009)
"""The only refusals that a well-behaved client may meet."""


@dataclass(slots=True)
class Seen:
    """What one client met: answers by code, seconds of each, and what must not have been."""

    codes: Counter[int] = field(default_factory=Counter)
    seconds: list[float] = field(default_factory=list)
    bytes: int = 0
    wrong: list[str] = field(default_factory=list)


class Client:
    """One who signs. ``since`` and ``until`` are moments in Unix seconds, the same for all processes."""

    def __init__(self, address: str, pair: KeyPair, seed: int, since: float, until: float) -> None:
        self.seen = Seen()
        self.dice = random.Random(seed)
        self.address, self._pair, self._since, self._until = address, pair, since, until
        self._http = httpx.Client(base_url=address, timeout=TIMEOUT, trust_env=False)

    @property
    def going_on(self) -> bool:
        return time.time() < self._until

    def wait(self) -> None:
        """Whatever had to be prepared is: begin with all others."""
        time.sleep(max(0.0, self._since - time.time()))

    def signed(self, action: str, **fields: Any) -> bytes:
        body = {"Action": action, "PublicKey": self._pair.public_key, **fields}
        return json.dumps({**body, "Signature": sign(body, self._pair.private_key)}).encode()

    def send(self, content: bytes, *fine: int) -> dict[str, Any]:
        """The answer, whose code must be one of ``fine``; empty where there was none."""
        began = time.monotonic()
        try:
            answer = self._http.post("/", content=content, headers={"Content-Type": "application/json"})
            found: dict[str, Any] = answer.json()
        except (httpx.TransportError, ValueError) as error:
            self.complain(f"no answer: {error!r}")
            return {}
        self.seen.seconds.append(time.monotonic() - began)
        self.seen.codes[found["RetCode"]] += 1
        if found["RetCode"] not in fine or answer.status_code >= 500:
            self.complain(f"{answer.status_code} {found}"[:400])
        return found

    def complain(self, text: str) -> None:
        if len(self.seen.wrong) < 50:
            self.seen.wrong.append(text)


def submit(client: Client) -> None:
    """Tasks of 1 to 20 MB, as fast as they are taken; some are cancelled, all results of the rest are fetched."""
    bodies = [client.signed("ApplyReferenceStyle", **_task(client.dice)) for _ in range(PREPARED)]
    client.wait()
    while client.going_on:
        body = client.dice.choice(bodies)
        answer = client.send(body, 0, *FULL)
        if answer.get("RetCode") != 0:
            time.sleep(client.dice.uniform(0.2, 1))
            continue
        client.seen.bytes += len(body)
        if client.dice.random() < 0.2:
            time.sleep(client.dice.uniform(0, 0.5))
            client.send(client.signed("TerminateTask", TaskUID=answer["TaskUID"]), 0, 4011, *FULL)


def poll(client: Client) -> None:
    """One small task, asked for again and again."""
    answer = client.send(client.signed("ApplyReferenceStyle", **MortalService.task("draw 0.1")), 0, *FULL)
    while "TaskUID" not in answer and client.going_on:
        time.sleep(0.5)
        answer = client.send(client.signed("ApplyReferenceStyle", **MortalService.task("draw 0.1")), 0, *FULL)
    question = client.signed("ListTasksDetails", TaskUIDList=[answer.get("TaskUID", "")])
    client.wait()
    client.seen.seconds.clear()
    while client.going_on:
        client.send(question, 0, *FULL)
        time.sleep(POLL_SECONDS)


def browse(client: Client) -> None:
    """Lists, balances, and pictures."""
    actions = ("ListRunningTasks", "ListModels", "GetCreditBalance", "ListStyles")
    client.wait()
    while client.going_on:
        client.send(client.signed(client.dice.choice(actions)), 0, *FULL)
        time.sleep(client.dice.uniform(0.1, 0.5))


def misbehave(client: Client) -> None:
    """Requests that are wrong, each in its own way, and each refused with a code."""
    task = MortalService.task("draw 0.1")
    ways: list[tuple[Callable[[], bytes], tuple[int, ...]]] = [
        (lambda: b"{" + client.dice.randbytes(200), (4001,)),
        (lambda: b"[1, 2]", (4001,)),
        (lambda: client.signed("MakeCoffee"), (161,)),
        (lambda: client.signed("ApplyReferenceStyle", **task)[:-3] + b'x"}', (171,)),
        (lambda: client.signed("ApplyReferenceStyle", **{**task, "Width": 10**9}), (230,)),
        (lambda: client.signed("ApplyReferenceStyle", **{**task, "ImageList": [IMAGES[0], "?"]}), (4003, 230)),
        (lambda: client.signed("ApplyReferenceStyle", **{**task, "ImageList": [IMAGES[0], _noise_text()]}), (4003,)),
        (lambda: client.signed("ListTasksDetails", TaskUIDList=["0" * 20]), (4006,)),
        (lambda: client.signed("ListTasksDetails"), (220,)),
        (lambda: b'{"Action": "ListModels", "PublicKey": "nobody", "Signature": "' + b"0" * 40 + b'"}', (172,)),
    ]
    client.wait()
    while client.going_on:
        make, fine = client.dice.choice(ways)
        client.send(make(), *fine, *FULL)
        time.sleep(client.dice.uniform(0.05, 0.4))


def stand_still(client: Client) -> None:
    """Connections that send half a request and stop, or take an answer a few bytes at a time."""
    parts = urlsplit(client.address)
    assert parts.hostname is not None
    assert parts.port is not None
    body = client.signed("ListModels")
    held: list[socket.socket] = []
    client.wait()
    while client.going_on:
        link = socket.create_connection((parts.hostname, parts.port), timeout=TIMEOUT)
        head = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n"
        if client.dice.random() < 0.5:
            link.sendall(head % (15 * 10**6) + body[:50])
        else:
            link.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
            link.sendall(head % len(body) + body)
        held.append(link)
        client.seen.codes[0] += 1
        if len(held) > 40:
            held.pop(client.dice.randrange(len(held))).close()
        time.sleep(client.dice.uniform(0.2, 1))
    for link in held:
        link.close()


ROLES: dict[str, Callable[[Client], None]] = {
    "submit": submit,
    "poll": poll,
    "browse": browse,
    "misbehave": misbehave,
    "stand still": stand_still,
}


def play(role: str, address: str, pair: KeyPair, seed: int, since: float, until: float) -> Seen:
    """What a client of that role met between these moments."""
    if role != "poll":
        os.nice(NICENESS)
    client = Client(address, pair, seed, since, until)
    ROLES[role](client)
    return client.seen


def _task(dice: random.Random) -> dict[str, Any]:
    size = int(np.exp(dice.uniform(*np.log(BODY_BYTES))))
    side = max(64, int((size * 0.74 / 3) ** 0.5))
    pixels = np.random.default_rng(dice.getrandbits(32)).integers(0, 256, (side, side, 3), np.uint8)
    file = BytesIO()
    Image.fromarray(pixels).save(file, "PNG", compress_level=0)
    task = MortalService.task(f"draw {dice.uniform(0.1, 0.5):.2f}")
    return {**task, "ImageList": [base64.b64encode(file.getvalue()).decode(), IMAGES[1]]}


def _noise_text() -> str:
    return base64.b64encode(random.randbytes(5000)).decode()
