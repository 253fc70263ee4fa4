"""What a check of this machine found: printed as it comes, within a time, with all that was left out for want of it."""

import math
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from benchmarks.report import Bar, table


class OutOfTime(Exception):
    """The time is over in the middle of a check."""


@dataclass(slots=True)
class Report:
    """``seconds`` is the time there is; ``began`` is now unless it is given."""

    seconds: float = math.inf
    lines: list[str] = field(default_factory=list)
    bars: list[Bar] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)
    failed: int = 0
    began: float = field(default_factory=time.monotonic)

    @property
    def spent(self) -> float:
        """Seconds since the beginning."""
        return time.monotonic() - self.began

    @property
    def left(self) -> float:
        """Seconds until the end."""
        return max(0.0, self.seconds - self.spent)

    def has(self, seconds: float) -> bool:
        """Whether that much time is left."""
        return self.spent + seconds <= self.seconds

    def beat(self, fraction: float = 0.0) -> None:
        """For engines to report to, and pipelines. Raises OutOfTime when the time is over."""
        if self.spent > self.seconds:
            raise OutOfTime

    def say(self, line: str) -> None:
        """Print a line of the report, and keep it."""
        print(line, flush=True)
        self.lines.append(line)

    def leave_out(self, what: str, why: str = "no time was left") -> None:
        """Note what is not done."""
        self.left_out.append(f"{what}: {why}")
        self.say(f"- left out: {what}: {why}")

    @contextmanager
    def check(self, what: str) -> Iterator[None]:
        """A check that holds if the block ends; it says so. What runs out of time is left out, not failed."""
        begun = time.monotonic()
        try:
            yield
        except (OutOfTime, subprocess.TimeoutExpired):
            self.leave_out(what, f"time ran out {time.monotonic() - begun:.0f} s after it was begun")
        except Exception as error:  # noqa: BLE001 - the next check is worth making all the same
            self.failed += 1
            self.say(f"- ✗ {what}: {type(error).__name__}: {' '.join(str(error).split())[:300]}")
        else:
            self.say(f"- ✓ {what} ({time.monotonic() - begun:.1f} s)")

    def close(self) -> None:
        """Say the bars, what was left out, and the sum."""
        self.say("\n## Bars\n")
        self.say(
            table(["what", "measured", "demanded", ""], [bar.row() for bar in self.bars]) if self.bars else "None."
        )
        self.say("\n## Left out\n")
        self.say("\n".join(f"- {each}" for each in self.left_out) or "Nothing.")
        self.say(f"\n{self.spent:.0f} s in all; {self.failed} checks failed, {len(self.left_out)} things left out.")
