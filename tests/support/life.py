"""The life of tasks as a model of a few lines, beside the real one: a machine of hypothesis that drives both."""

import hashlib
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

import sqlalchemy as sa
from hypothesis import Phase, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from restyle.accounts import credits
from restyle.accounts.keys import KeyPair, KeyStore
from restyle.database import tasks, writing
from restyle.queue.claim import Claim
from restyle.queue.record import UNFINISHED, Status
from restyle.queue.retention import Retention
from restyle.storage import input_prefix, result_key
from restyle.wire.codes import Code
from restyle.wire.errors import RestyleError
from tests.support.house import House

T = TypeVar("T")

CREDITS = 30
PICK = st.integers(0, 1 << 16)


@dataclass(slots=True)
class Known:
    """One task of the model. ``claim`` is that of its run, None where it waits; ``number`` its place in the line."""

    uid: str
    number: int
    account: int
    mark: str | None
    body: int
    cost: int
    priority: int
    status: Status = Status.QUEUING
    code: int = 0
    deaths: int = 0
    progress: float = 0.0
    expired: bool = False
    claim: Claim | None = None


@dataclass(slots=True)
class Owner:
    """One account of the model, and its key."""

    pair: KeyPair
    served: int = 0
    disabled: bool = False
    tasks: list[Known] = field(default_factory=list)

    @property
    def used(self) -> int:
        return sum(task.cost for task in self.tasks if task.status != Status.ERROR)


class Life(RuleBasedStateMachine):
    """Two accounts, and any order of what may befall their tasks."""

    def __init__(self, house: House) -> None:
        super().__init__()
        self.house = house
        self.claims = house.claims()
        self.retention = Retention(house.db, house.storage, house.settings)
        self.owners: list[Owner] = []
        self.stale: list[Claim] = []
        self.turns = 0

    @initialize()
    def open(self) -> None:
        """Accounts of their own, since the database is that of all examples, with something to do at once."""
        self.owners = [Owner(self.house.keys.create(credits=CREDITS)) for _ in range(2)]
        for number in range(6):
            self._submit_new(self.owners[number % 2], body=number % 3, cost=1, marked=number < 4, priority=number // 5)

    @property
    def everything(self) -> list[Known]:
        return sorted((task for owner in self.owners for task in owner.tasks), key=lambda task: task.number)

    @property
    def running(self) -> list[Known]:
        return [task for task in self.everything if task.claim is not None]

    @rule(pick=PICK, body=st.integers(0, 2), cost=st.integers(0, 9), marked=st.booleans(), priority=st.integers(0, 1))
    def submit(self, pick: int, body: int, cost: int, marked: bool, priority: int) -> None:
        self._submit_new(self.owners[pick % 2], body=body, cost=cost, marked=marked, priority=priority)

    def _submit_new(self, owner: Owner, *, body: int, cost: int, marked: bool, priority: int) -> None:
        number = len(self.everything)
        mark = f"mark-{owner.pair.account_id}-{number}" if marked else None
        key = self.house.keys.find(owner.pair.public_key)
        assert key is not None
        assert key.disabled == owner.disabled
        if key.disabled:
            return  # the gate lets nobody in who shows it
        found = tried(lambda: self._submit(owner, mark, body, cost=cost, priority=priority))
        if cost > CREDITS - owner.used:
            assert found == Code.CREDITS_INSUFFICIENT
        else:
            assert isinstance(found, str)
            owner.tasks.append(Known(found, number, owner.pair.account_id, mark, body, cost, priority))

    @precondition(lambda self: any(task.mark for task in self.everything))
    @rule(pick=PICK, body=st.integers(0, 2), cost=st.integers(0, 99))
    def submit_again(self, pick: int, body: int, cost: int) -> None:
        """The same ``request_uuid``, with the same body or another: one task, or a refusal."""
        marked = [task for task in self.everything if task.mark]
        task = marked[pick % len(marked)]
        owner = next(owner for owner in self.owners if owner.pair.account_id == task.account)
        found = tried(lambda: self._submit(owner, task.mark, body, cost=cost))
        assert found == (task.uid if body == task.body else Code.REQUEST_REUSED)

    @precondition(lambda self: self.everything)
    @rule(pick=PICK)
    def cancel(self, pick: int) -> None:
        task = self.everything[pick % len(self.everything)]
        found = tried(lambda: self.house.store.terminate(task.account, task.uid))
        assert found == (None if task.status in UNFINISHED else Code.TASK_ENDED)
        if found is None:
            self._end(task, Status.ERROR, Code.TERMINATED)

    @precondition(lambda self: any(task.status in UNFINISHED for task in self.everything))
    @rule(times=st.integers(1, 3))
    def claim(self, times: int) -> None:
        for _ in range(times):
            self._claim()

    def _claim(self) -> None:
        expected = self._next()
        claim = self.claims.next()
        assert (claim and claim.uid) == (expected and expected.uid)
        if claim is None or expected is None:
            return
        expected.status, expected.claim = Status.RUNNING, claim
        self.turns += 1
        self._owner(expected).served = self.turns
        self._come_too_late(expected)

    @precondition(lambda self: self.running)
    @rule(pick=PICK, fraction=st.floats(0, 1))
    def progress(self, pick: int, fraction: float) -> None:
        task = self.running[pick % len(self.running)]
        assert task.claim is not None
        assert self.claims.progress(task.claim, fraction)
        task.progress = max(task.progress, fraction)

    @precondition(lambda self: self.running)
    @rule(pick=PICK)
    def finish(self, pick: int) -> None:
        task = self.running[pick % len(self.running)]
        assert task.claim is not None
        key = result_key(task.uid, task.claim.claim, 0)
        self.house.storage.put(key, b"picture")
        assert self.claims.finish(task.claim, [key])
        task.progress = 1.0
        self._end(task, Status.FINISHED, Code.SUCCESS)

    @precondition(lambda self: self.running)
    @rule(pick=PICK)
    def fail(self, pick: int) -> None:
        task = self.running[pick % len(self.running)]
        assert task.claim is not None
        assert self.claims.fail(task.claim, Code.ENGINE_FAILED, "failed")
        self._end(task, Status.ERROR, Code.ENGINE_FAILED)

    @precondition(lambda self: self.running)
    @rule(pick=PICK)
    def kill(self, pick: int) -> None:
        """Its worker is killed in the middle of the run."""
        task = self.running[pick % len(self.running)]
        assert task.claim is not None
        task.deaths += 1
        last = task.deaths == self.house.settings.task_attempts
        assert self.claims.died(task.claim) != last
        if last:
            self._end(task, Status.ERROR, Code.ENGINE_FAILED)
        else:
            self._let_go(task)

    @precondition(lambda self: self.running)
    @rule(pick=PICK)
    def interrupt(self, pick: int) -> None:
        """Its run is broken off for no fault of its own, and taken up again before anything else."""
        task = self.running[pick % len(self.running)]
        assert task.claim is not None
        self.claims.interrupt(task.claim)
        self._let_go(task)
        self._claim()

    @rule(pick=PICK, what=st.sampled_from(["restart", "sweep", "turn key"]))
    def disturb(self, pick: int, what: str) -> None:
        """What befalls the whole service."""
        match what:
            case "restart":
                self._restart()
            case "sweep":
                self._sweep()
            case "turn key":
                self._turn_key(self.owners[pick % 2])

    def _restart(self) -> None:
        """The service, or the machine of the fleet, is gone in the middle of everything, and there again."""
        membership = self.house.membership
        if membership is not None:
            membership.release()
        self.claims = self.house.claims()
        self.claims.interrupt_all(set())
        self.house.keys = KeyStore(self.house.db, self.house.settings.master_key())
        for task in self.running:
            self._let_go(task)

    def _turn_key(self, owner: Owner) -> None:
        """A key is disabled, or taken again; its account's tasks go on."""
        owner.disabled = not owner.disabled
        change = self.house.keys.disable if owner.disabled else self.house.keys.enable
        change(owner.pair.public_key)

    @precondition(lambda self: any(task.status == Status.FINISHED for task in self.everything))
    @rule(pick=PICK)
    def expire(self, pick: int) -> None:
        """A result has had its time; the task stays, and stays paid."""
        ended = [task for task in self.everything if task.status == Status.FINISHED]
        task = ended[pick % len(ended)]
        with writing(self.house.db) as connection:
            connection.execute(sa.update(tasks).where(tasks.c.uid == task.uid).values(expires=time.time() - 1))
        task.expired = True

    def _sweep(self) -> None:
        self.retention.sweep()
        stored = set(self.house.storage.names("results/"))
        inputs = set(self.house.storage.names("inputs/"))
        for task in self.everything:
            assert (task.uid in inputs) == (task.status in UNFINISHED), task
            if task.status == Status.FINISHED:
                assert (task.uid in stored) == (not task.expired), task
            elif task.status == Status.ERROR:
                assert task.uid not in stored

    @invariant()
    def clients_see_what_the_model_says(self) -> None:
        for owner in self.owners:
            account = owner.pair.account_id
            balance = credits.balance(self.house.db, account)
            assert (balance.total, balance.used) == (CREDITS, owner.used)
            found = self.house.store.details(account, [task.uid for task in owner.tasks])
            for task, seen in zip(owner.tasks, found, strict=True):
                assert (seen.status, seen.error_code, seen.progress) == (task.status, task.code, task.progress)
                assert bool(seen.images) == (task.status == Status.FINISHED and not task.expired)
            waiting = [task.uid for task in owner.tasks if task.status in UNFINISHED]
            assert self.house.store.unfinished(account) == waiting

    def teardown(self) -> None:
        """A last sweep; and leave nothing for the next example to claim."""
        self._sweep()
        for task in self.everything:
            if task.status in UNFINISHED:
                self.house.store.terminate(task.account, task.uid)
            self.house.storage.delete_prefix(input_prefix(task.uid))

    def _submit(self, owner: Owner, mark: str | None, body: int, **changes: Any) -> str:
        uid, submission = self.house.submission(
            str(body),
            account=owner.pair.account_id,
            request_uuid=mark,
            body_digest=hashlib.sha256(bytes([body])).digest(),
            **changes,
        )
        try:
            kept = self.house.store.submit(uid, submission)
        except RestyleError:
            self.house.storage.delete_prefix(input_prefix(uid))
            raise
        if kept != uid:
            self.house.storage.delete_prefix(input_prefix(uid))
        return kept

    def _come_too_late(self, task: Known) -> None:
        """Under the claims of its earlier runs nothing of the task is changed."""
        for claim in self.stale:
            if claim.uid == task.uid:
                assert not self.claims.progress(claim, 1)
                assert not self.claims.finish(claim, ["late"])
                assert not self.claims.fail(claim, Code.ENGINE_FAILED, "late")
                assert not self.claims.died(claim)
                self.claims.interrupt(claim)

    def _next(self) -> Known | None:
        """Whose turn it is: what was interrupted, by age; then by priority; then whose account has waited longest."""
        again = [task for task in self.everything if task.status == Status.RUNNING and task.claim is None]
        if again:
            return again[0]
        waiting = [task for task in self.everything if task.status == Status.QUEUING]
        order = [(-task.priority, self._owner(task).served, task.account, task.number, task) for task in waiting]
        return min(order)[-1] if order else None

    def _owner(self, task: Known) -> Owner:
        return next(owner for owner in self.owners if owner.pair.account_id == task.account)

    def _end(self, task: Known, status: Status, code: Code) -> None:
        task.status, task.code = status, int(code)
        self._let_go(task)

    def _let_go(self, task: Known) -> None:
        if task.claim is not None:
            self.stale.append(task.claim)
        task.claim = None
        self._come_too_late(task)


def tried(act: Callable[[], T]) -> T | Code:
    """What ``act`` returns, or the code that it is refused with."""
    try:
        return act()
    except RestyleError as error:
        return error.code


def live(house: House, examples: int, steps: int, *, chance: int | None = None) -> None:
    """Drive so many lives of so many steps. Raises AssertionError where the real one differs from the model.

    ``chance`` is the seed of them; each call lives others unless it is given.
    """

    class Here(Life):
        def __init__(self) -> None:
            super().__init__(house)

    # Each step takes its time, and to make a failure shorter takes thousands of them.
    phases = [Phase.generate]
    often = settings(max_examples=examples, stateful_step_count=steps, deadline=None, database=None, phases=phases)
    run_state_machine_as_test(Here if chance is None else seed(chance)(Here), settings=often)
