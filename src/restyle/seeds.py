"""Seeds of a batch: the one rule that the service and the library share."""

import secrets

SEED_MAX = 2_147_483_647
DRAW = -1
"""Asks for a drawn seed."""


def batch_seeds(seed: int, count: int) -> tuple[int, ...]:
    """One seed per image: ``seed``, or one drawn for -1, counting up and from 2147483647 on to 0."""
    first = secrets.randbelow(SEED_MAX + 1) if seed == DRAW else seed
    return tuple((first + index) % (SEED_MAX + 1) for index in range(count))
