"""A cache holds what was used last, within its limit."""

import weakref

from restyle.engines.cache import Cache


class Thing:
    def __init__(self, size: int = 1) -> None:
        self.size = size


def test_things_are_made_once_and_the_least_used_goes_first() -> None:
    cache: Cache[Thing] = Cache(2)
    first = cache.get("a", Thing)
    cache.get("b", Thing)
    assert cache.get("a", Thing) is first
    cache.get("c", Thing)
    assert ("a" in cache, "b" in cache, "c" in cache) == (True, False, True)


def test_there_are_never_more_things_than_the_limit() -> None:
    cache: Cache[Thing] = Cache(2)
    alive: weakref.WeakSet[Thing] = weakref.WeakSet()

    def make() -> Thing:
        alive.add(thing := Thing())
        assert len(alive) <= 2
        return thing

    for key in "abcd":
        cache.get(key, make)


def test_bytes_bound_it_as_they_are_now() -> None:
    cache: Cache[Thing] = Cache(10, lambda thing: thing.size)
    cache.get("a", lambda: Thing(4))
    grown = cache.get("b", lambda: Thing(4))
    assert "a" in cache
    grown.size = 8
    cache.trim()
    assert "a" not in cache
    assert cache.get("b", Thing) is grown


def test_the_last_asked_for_stays_whatever_its_size() -> None:
    cache: Cache[Thing] = Cache(1, lambda thing: thing.size)
    large = cache.get("a", lambda: Thing(100))
    assert cache.get("a", Thing) is large
    cache.clear()
    assert "a" not in cache
