import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import pytest

from restyle.images.checking.turns import Closed, Turns
from tests.support.patience import PATIENCE, wait_for

A, B, C = 1, 2, 3


@contextmanager
def standing(turns: Turns, account: int, name: str, had: list[str], *, large: bool = False) -> Iterator[None]:
    """Somebody of ``account`` in line, whose ``name`` is added to ``had`` when it is its turn; or "closed"."""

    def take() -> None:
        try:
            with turns.turn(account, large=large):
                had.append(name)
        except Closed:
            had.append("closed")

    before = turns.waiting
    thread = threading.Thread(target=take)
    thread.start()
    wait_for(lambda: turns.waiting != before or not thread.is_alive())
    yield
    thread.join(PATIENCE)
    assert not thread.is_alive()


def test_no_account_has_every_place() -> None:
    turns = Turns(2)
    had: list[str] = []
    with ExitStack() as waiting, turns.turn(A, large=False):
        waiting.enter_context(standing(turns, A, "second of A", had))
        with standing(turns, B, "B", had):
            pass
        assert had == ["B"]
    assert had == ["B", "second of A"]


def test_accounts_take_turns() -> None:
    turns = Turns(1)
    had: list[str] = []
    with ExitStack() as waiting, turns.turn(C, large=False):
        for account, name in ((A, "A1"), (A, "A2"), (A, "A3"), (B, "B1")):
            waiting.enter_context(standing(turns, account, name, had))
    assert had == ["A1", "B1", "A2", "A3"]


def test_one_large_picture_at_a_time_holds_up_no_other() -> None:
    turns = Turns(3)
    had: list[str] = []
    with ExitStack() as waiting, turns.turn(A, large=True):
        waiting.enter_context(standing(turns, B, "large", had, large=True))
        with standing(turns, B, "small", had):
            pass
        assert had == ["small"]
    assert had == ["small", "large"]


def test_closing_lets_everybody_go() -> None:
    turns = Turns(1)
    had: list[str] = []
    with turns.turn(A, large=False), standing(turns, B, "B", had):
        turns.close()
    assert had == ["closed"]
    with pytest.raises(Closed), turns.turn(C, large=False):
        pass
