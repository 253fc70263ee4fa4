"""The memory of the bodies in flight: who gets more of it, who waits, and who gives way."""

import asyncio
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from restyle.http.envelope import later
from restyle.wire.codes import Code

WAIT_SECONDS = 20.0
"""How long a body waits for memory before its sender is asked to come back."""
REVIEW_SECONDS = 0.25
"""While bodies wait: pause between two looks at who has to give way."""
TRIES = 8
"""Waiting bodies looked at in one go, those that need least first: where these cannot go on, larger ones hardly can."""
PACE_GRACE_SECONDS = 2.0
PACE_BYTES = 128 * 1024
PACE_SECONDS = 60
"""While others wait, what was granted last must come within the grace and at this many bytes of memory a second, and at
a sixtieth of all that the body holds, whichever is faster: what holds more must get done sooner."""


class Claim:
    """What one body holds and may come to need, in bytes of memory."""

    def __init__(self, budget: "Budget", address: str, most: int, known: bool) -> None:
        self._budget = budget
        self.address = address
        self.most = most
        self.known = known
        self.held = 0
        self.wanted = 0
        self.turn: asyncio.Future[None] | None = None
        self.due = 0.0
        """When what was granted last should be here, by the clock of the event loop."""
        self.patience: asyncio.Timeout | None = None
        """Set while the sender is waited for."""
        self.gave_way = False

    @property
    def need(self) -> int:
        """Bytes that may be missing until the body is complete."""
        return self.most - self.held

    async def grow(self, count: int) -> None:
        """Hold ``count`` bytes, of those that this body may need at most. Raises Refused (429, 4008) after a wait."""
        await self._budget._grow(self, min(count, self.most))

    def settle(self, count: int) -> None:
        """The body is complete: ``count`` bytes, and it needs no more."""
        self.held = self.most = min(count, self.held)
        self._budget._admit()

    @contextmanager
    def awaiting(self, patience: asyncio.Timeout) -> Iterator[None]:
        """While the block runs, the sender is waited for; ``patience`` ends at once if this body has to give way."""
        self.patience = patience
        try:
            yield
        finally:
            self.patience = None


class Budget:
    """Bytes of memory that bodies may take together, granted as they come. For one event loop.

    A grant is made only while all bodies could still be completed, one after another, out of what is free and what the
    completed ones give back (the banker's algorithm), so half-arrived bodies never wait for each other; and who needs
    little passes who needs much. Bodies that name no known key share two thirds of it. While a body waits, another that
    comes too slowly gives way; one that names a known key never does so for one that does not. Each address has at most
    ``per_address`` bodies that hold something.
    """

    def __init__(self, size: int, per_address: int) -> None:
        self._size = size
        self._unknown_size = size - size // 3
        self._per_address = per_address
        self._claims: set[Claim] = set()
        self._waiting: list[Claim] = []
        self._review: asyncio.TimerHandle | None = None

    @property
    def held(self) -> int:
        """Bytes held now."""
        return sum(claim.held for claim in self._claims)

    @contextmanager
    def claim(self, address: str, most: int, *, known: bool) -> Iterator[Claim]:
        """A claim, with nothing held yet, of a body from ``address`` that may come to need ``most`` bytes.

        It never gets more than there are, however. ``known`` says whether it names a known key. What it holds is free
        again when the block ends.
        """
        claim = Claim(self, address, min(most, self._size if known else self._unknown_size), known)
        self._claims.add(claim)
        try:
            yield claim
        finally:
            self._claims.remove(claim)
            self._admit()

    async def _grow(self, claim: Claim, count: int) -> None:
        if count <= claim.held:
            self._grant(claim, claim.held)
            return
        claim.wanted = count
        claim.turn = asyncio.get_running_loop().create_future()
        self._waiting.append(claim)
        try:
            self._admit()
            async with asyncio.timeout(WAIT_SECONDS):
                await claim.turn
        except TimeoutError:
            raise later(
                429, Code.RATE_LIMITED, "too many large bodies at once; send this one again in a few seconds", 2
            ) from None
        finally:
            claim.turn = None
            if claim in self._waiting:
                self._waiting.remove(claim)
                self._admit()

    def _admit(self) -> None:
        """Grant what can be granted now."""
        for claim in self._first():
            if self._fits(claim):
                self._waiting.remove(claim)
                self._grant(claim, claim.wanted)
        if self._waiting and self._review is None:
            self._review = asyncio.get_running_loop().call_later(REVIEW_SECONDS, self._make_way)

    def _grant(self, claim: Claim, count: int) -> None:
        pace = max(PACE_BYTES, count / PACE_SECONDS)
        now = asyncio.get_running_loop().time()
        claim.due = now + PACE_GRACE_SECONDS + (count - claim.held) / pace
        claim.held = count
        if claim.turn is not None and not claim.turn.done():
            claim.turn.set_result(None)

    def _first(self) -> list[Claim]:
        """The bodies whose turn it is. Of an address that has all its turns, only those that have one of them."""
        holders = Counter(claim.address for claim in self._claims if claim.held)
        found: list[Claim] = []
        for claim in sorted(self._waiting, key=lambda claim: (not claim.known, claim.need)):
            if not claim.held:
                if holders[claim.address] >= self._per_address:
                    continue
                holders[claim.address] += 1
            found.append(claim)
            if len(found) == TRIES:
                break
        return found

    def _fits(self, claim: Claim) -> bool:
        held, claim.held = claim.held, claim.wanted
        try:
            if not _can_all_end(self._claims, self._size):
                return False
            return claim.known or _can_all_end((each for each in self._claims if not each.known), self._unknown_size)
        finally:
            claim.held = held

    def _make_way(self) -> None:
        """Give up the body that is furthest behind, if one that waits may take its place; look again in a moment."""
        self._review = None
        now = asyncio.get_running_loop().time()
        late = [each for each in self._claims if each.patience is not None and each.held and each.due < now]
        first = self._first()
        turnless = [claim for claim in self._waiting if claim not in first and not claim.held][:TRIES]
        for claim in [*first, *turnless]:
            victims = [
                each
                for each in late
                if (claim.known or not each.known) and (claim in first or each.address == claim.address)
            ]
            if victims:
                victim = min(victims, key=lambda each: (each.known, each.due))
                assert victim.patience is not None
                victim.gave_way = True
                victim.patience.reschedule(now)
                break
        self._admit()


def _can_all_end(claims: Iterable[Claim], size: int) -> bool:
    """Whether there is an order in which each of ``claims`` gets all that it needs."""
    claims = sorted((claim for claim in claims if claim.held), key=lambda claim: claim.need)
    free = size - sum(claim.held for claim in claims)
    if free < 0:
        return False
    for claim in claims:
        if claim.need > free:
            return False
        free += claim.held
    return True
