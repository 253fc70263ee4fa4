"""Seeds of a batch: the one rule that the service and the library share."""

import secrets

from restyle.wire.ranges import SEED


def batch_seeds(seed: int, count: int) -> tuple[int, ...]:
    """One seed per image: ``seed``, or one drawn for -1, counting up and from 2147483647 on to 0."""
    first = drawn_seed() if seed == SEED.default else seed
    return tuple((first + index) % (SEED.maximum + 1) for index in range(count))


def drawn_seed() -> int:
    """Any seed, 0..2147483647."""
    return secrets.randbelow(SEED.maximum + 1)
