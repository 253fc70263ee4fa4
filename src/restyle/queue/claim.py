"""One run of a task, as the dispatcher and a worker speak of it."""

import json
from dataclasses import dataclass

MAX_PLAN = 16 * 1024 * 1024
"""Characters of a stored plan: many times what a request may hold, and still a message to a worker."""
MAX_SEEDS = 1024


@dataclass(frozen=True, slots=True)
class Claim:
    """``claim`` names the run: what an earlier run of the same task still says is not listened to.

    ``plan`` is the task's stored text, which nobody reads before the worker that draws it; ``seeds`` one per image;
    ``needs`` is what it takes to draw it (:mod:`restyle.queue.needs`), empty for a task of an earlier release.
    """

    uid: str
    claim: str
    seeds: tuple[int, ...]
    plan: str
    needs: str = ""

    @classmethod
    def of(cls, uid: str, claim: str, seeds: str, plan: str, needs: str = "") -> "Claim":
        """From the texts of a row. Raises ValueError, with a sentence, for a row that no release can have written."""
        if len(plan) > MAX_PLAN:
            raise ValueError(f"its plan is of {len(plan)} characters, over {MAX_PLAN}")
        try:
            plan.encode()
        except UnicodeEncodeError:
            raise ValueError("its plan is no text") from None
        return cls(uid, claim, _seeds(seeds), plan, needs)


def _seeds(text: str) -> tuple[int, ...]:
    found = stored_list(text)
    seeds = tuple(seed for seed in found if type(seed) is int and 0 <= seed < 1 << 31)
    if not 1 <= len(seeds) == len(found) <= MAX_SEEDS:
        raise ValueError("its seeds are no list of numbers from 0 to 2147483647")
    return seeds


def stored_list(text: str) -> list[object]:
    """The list that a JSON column holds, empty where it holds none."""
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return []
    return found if isinstance(found, list) else []
