"""Clients that must lose nothing and believe nothing: they submit, ask, cancel, download, and keep a book of it all."""

import random
import threading
import time
from collections.abc import Callable, Sequence
from io import BytesIO
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import httpx
from PIL import Image

from benchmarks.soak.book import FAILED, TERMINATED, WELL, Book, Order
from restyle.accounts.keys import KeyPair
from restyle.wire.signature import sign
from tests.support.mortal import MortalService
from tests.support.patience import PATIENCE, wait_for

MOST = 14
"""Unfinished tasks that clients keep the service busy with."""
LOOK_SECONDS = 0.3
AGAIN = 10
"""Tasks that have ended which are asked for again with each look: an end stays what it is."""
NONSENSE = ("ffffffff", "000000025b5d", "00000010" + b'{"kind":"ready"}'.hex())
PASSING = (429, 503)
"""What clients are told to come back for."""


class Connection:
    """One client of some addresses, of which it takes the next when one does not answer."""

    def __init__(self, addresses: Sequence[str], pair: KeyPair, book: Book, timeout: float = 60) -> None:
        self._addresses = list(addresses)
        self._at = 0
        self._pair = pair
        self._book = book
        self._client = httpx.Client(timeout=timeout, trust_env=False)

    @property
    def address(self) -> str:
        return self._addresses[self._at % len(self._addresses)]

    def ask(self, action: str, **fields: Any) -> dict[str, Any] | None:
        """The answer to a signed request; None where there was none, or one to come back."""
        body = {"Action": action, "PublicKey": self._pair.public_key, **fields}
        try:
            answer = self._client.post(self.address, json={**body, "Signature": sign(body, self._pair.private_key)})
        except httpx.TransportError:
            self._at += 1
            self._book.count("no answer")
            return None
        if answer.status_code in PASSING:
            self._at += 1
            self._book.count("asked to come back")
            return None
        if answer.status_code >= 500:
            self._book.complain("error 5xx", f"{action}: {answer.status_code} {answer.text[:300]}")
            return None
        found: dict[str, Any] = answer.json()
        return found

    def fetch(self, url: str) -> httpx.Response | None:
        """The answer to a GET of a path of the service; None where there was none that is whole."""
        try:
            return self._client.get(urlunsplit((*urlsplit(self.address)[:2], *urlsplit(url)[2:])))
        except httpx.TransportError:
            self._at += 1
            return None

    def close(self) -> None:
        self._client.close()


class Crowd:
    """Threads that keep one account's tasks coming until :meth:`stop`, and look at what becomes of them."""

    def __init__(self, addresses: Sequence[str], pair: KeyPair, seed: int, folder: Path, *, most: int = MOST) -> None:
        self.book = Book()
        self._addresses = list(addresses)
        self._pair = pair
        self._dice = random.Random(seed)
        self._folder = folder
        self._most = most
        self._stopping = threading.Event()
        self._leaving = threading.Event()
        self._reference: bytes | None = None
        works: list[Callable[[Connection], None]] = [self._submit, self._submit, self._look]
        self._threads = [threading.Thread(target=self._work, args=(work,), daemon=True) for work in works]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Submit no more, and see every task to its end and its picture."""
        self._stopping.set()
        for thread in self._threads[:-1]:
            thread.join(PATIENCE)
        self.settle(self.book.accepted())
        self._leaving.set()
        self._threads[-1].join(PATIENCE)

    def settle(self, orders: Sequence[Order]) -> None:
        """Wait until these have ended; those that do not are lost."""
        try:
            wait_for(lambda: all(order.end is not None for order in orders))
        except AssertionError:
            for order in orders:
                if order.end is None:
                    self.book.complain("lost", f"{order.uid} {order.prompts} has not ended within {PATIENCE} s")
                    order.end = ("lost", 0)

    def place(self, *prompts: str, right: frozenset[tuple[str, int]] = frozenset({WELL})) -> Order:
        """One more order, surely accepted."""
        connection = Connection(self._addresses, self._pair, self.book)
        try:
            order = self._order(prompts, right)
            self._surely(connection, order)
            return order
        finally:
            connection.close()

    def place_at_once(self, count: int) -> Order:
        """One order, sent ``count`` times at the same moment: it is one task."""
        order = self._order(("draw 0.1",), frozenset({WELL}))
        twins = [Order(order.mark, order.prompts, order.right) for _ in range(count - 1)]
        threads = [threading.Thread(target=self._place_twin, args=(each,)) for each in (order, *twins)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(PATIENCE)
        if {each.uid for each in twins} != {order.uid}:
            self.book.complain("doubled", f"{order.mark} is {order.uid} and {[each.uid for each in twins]}")
        return order

    def _place_twin(self, order: Order) -> None:
        connection = Connection(self._addresses, self._pair, self.book)
        self._surely(connection, order)
        connection.close()

    def _order(self, prompts: tuple[str, ...], right: frozenset[tuple[str, int]]) -> Order:
        with self.book.lock:
            order = Order(f"{self._pair.account_id}-{len(self.book.orders)}", prompts, right)
            self.book.orders.append(order)
        return order

    def _work(self, work: Callable[[Connection], None]) -> None:
        connection = Connection(self._addresses, self._pair, self.book)
        try:
            work(connection)
        except Exception as error:  # noqa: BLE001 - a client that fails is a failure of the run, told at its end
            self.book.complain("client failed", repr(error))
        finally:
            connection.close()

    def _submit(self, connection: Connection) -> None:
        while not self._stopping.is_set():
            if len(self.book.outstanding()) >= self._most:
                time.sleep(0.05)
                continue
            chance = self._dice.random()
            if chance < 0.02:
                order = self._order(("raise",), frozenset({FAILED, TERMINATED}))
            else:
                order = self._order((f"draw {self._dice.uniform(0.02, 0.3):.2f}",), frozenset({WELL}))
            self._surely(connection, order)
            if not order.uid:
                continue
            if chance > 0.85:
                self._repeat(connection, order)
            elif chance > 0.75:
                self._cancel(connection, order)

    def _surely(self, connection: Connection, order: Order) -> None:
        """The same request until it is answered, also while this client is to stop: what is begun is accepted."""
        fields = {**_task(*order.prompts), "request_uuid": order.mark}
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            answer = connection.ask("ApplyReferenceStyle", **fields)
            code = None if answer is None else answer["RetCode"]
            if code == 0:
                assert answer is not None
                order.uid = str(answer["TaskUID"])
                return
            if code not in (None, 4008, 4009):
                self.book.complain("refused", f"{order.mark}: {answer}")
                return
            time.sleep(0.2)
        self.book.complain("never accepted", order.mark)

    def _repeat(self, connection: Connection, order: Order) -> None:
        answer = connection.ask("ApplyReferenceStyle", **_task(*order.prompts), request_uuid=order.mark)
        if answer is not None and (answer["RetCode"], answer.get("TaskUID")) != (0, order.uid):
            self.book.complain("doubled", f"{order.mark} was {order.uid}, repeated: {answer}")
        other = connection.ask("ApplyReferenceStyle", **_task("draw 0.01"), request_uuid=order.mark)
        if other is not None and other["RetCode"] != 4010:
            self.book.complain("conflict taken", f"{order.mark}: {other}")

    def _cancel(self, connection: Connection, order: Order) -> None:
        time.sleep(self._dice.uniform(0, 0.6))
        order.right |= {TERMINATED}
        answer = connection.ask("TerminateTask", TaskUID=order.uid)
        if answer is None:
            return  # it may or may not have been heard
        if answer["RetCode"] == 0:
            order.right = frozenset({TERMINATED})
            self.book.count("cancelled")
            if order.end not in (None, TERMINATED):
                self.book.complain("doubled", f"{order.uid} had ended as {order.end} and was terminated then")
        elif answer["RetCode"] == 4011:  # it had ended; or an earlier try that was not answered had ended it
            return
        else:
            self.book.complain("not terminated", f"{order.uid}: {answer}")

    def _look(self, connection: Connection) -> None:
        """The one thread that writes ends down."""
        ended: list[Order] = []
        waiting: list[Order] = []
        while True:
            leaving = self._leaving.is_set()
            orders = self.book.outstanding()
            orders += self._dice.sample(ended, min(AGAIN, len(ended)))
            for first in range(0, len(orders), 90):
                ended += self._ask(connection, orders[first : first + 90], waiting)
            for order in list(waiting):
                if self._download(connection, order):
                    waiting.remove(order)
            if ended:  # also what was downloaded before, again and again while faults go on
                again = self._dice.choice(ended)
                if again.downloaded:
                    self._download(connection, again)
            if leaving and not waiting:
                return
            time.sleep(LOOK_SECONDS)

    def _ask(self, connection: Connection, orders: list[Order], waiting: list[Order]) -> list[Order]:
        answer = connection.ask("ListTasksDetails", TaskUIDList=[order.uid for order in orders]) if orders else None
        if answer is None:
            return []
        if answer["RetCode"] != 0:
            self.book.complain("lost", f"{answer}")
            return []
        ended = []
        for order, task in zip(orders, answer["TaskDetailList"], strict=True):
            if task["Status"] not in ("Finished", "Error"):
                if order.end is not None:
                    self.book.complain("doubled", f"{order.uid} had ended as {order.end} and is {task['Status']} again")
                continue
            end = (task["Status"], task["ErrorCode"])
            image = task["ImgList"][0] if task["ImgList"] else ""
            if order.end is None:
                order.image = image
                order.end = end
                ended.append(order)
                if end == WELL:
                    waiting.append(order)
                if end not in order.right:
                    self.book.complain("wrong end", f"{order.uid} {order.prompts}: {task}")
            elif order.end != end:
                self.book.complain("doubled", f"{order.uid} had ended as {order.end} and has as {end}")
        return ended

    def _download(self, connection: Connection, order: Order) -> bool:
        """Whether the picture came, whole and the right one."""
        answer = connection.fetch(order.image)
        if answer is None or answer.status_code in PASSING:
            return False
        try:
            if answer.status_code != 200:
                raise OSError(f"{answer.status_code} {answer.text[:200]}")
            with Image.open(BytesIO(answer.content)) as image:
                image.load()
                found = image.tobytes()
        except OSError as error:
            self.book.complain("broken picture", f"{order.uid}: {error}")
            return True
        if self._reference is None:
            self._reference = found
        if found != self._reference:  # one seed, one picture, however often it was begun
            self.book.complain("broken picture", f"{order.uid} has another picture")
        order.downloaded = True
        self.book.count("pictures")
        return True

    def nonsense(self) -> Order:
        """An order whose worker says once what none of ours says."""
        file = self._folder / f"said-{self._dice.getrandbits(64):016x}"
        return self.place(f"say once {file} {self._dice.choice(NONSENSE)}")

    def deadly(self) -> Order:
        """An order that kills its worker once."""
        return self.place(f"die once {self._folder / f'died-{self._dice.getrandbits(64):016x}'}")


def _task(*prompts: str) -> dict[str, Any]:
    """Orders for the obedient engine, which nobody shall take for a foreign language: telling which takes seconds."""
    return {**MortalService.task(*prompts), "TranslatePrompts": False}
