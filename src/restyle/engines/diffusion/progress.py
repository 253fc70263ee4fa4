"""How far a job is, over stages of different cost."""

from restyle.engines.base import Report
from restyle.engines.diffusion.guidance import Tick


class Progress:
    """Tells ``report`` fractions that never fall. Set ``total`` before the first stage."""

    def __init__(self, report: Report) -> None:
        self._report = report
        self._last = 0.0
        self._done = 0.0
        self.total = 1.0

    def beat(self) -> None:
        """Tell again where it is: a chance to stop."""
        self._report(self._last)

    def stage(self, cost: float) -> Tick:
        """A call that takes the fraction of the next stage, which makes up ``cost`` of ``total``."""
        start = self._done
        self._done += cost

        def tick(fraction: float) -> None:
            self._last = max(self._last, min(1.0, (start + fraction * cost) / self.total))
            self.beat()

        return tick
