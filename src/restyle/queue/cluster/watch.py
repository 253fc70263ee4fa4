"""The thread of a machine that draws nothing, in which it sees its fleet."""

import threading
import time

import structlog

from restyle.queue.cluster.membership import Membership
from restyle.queue.ledger import PATIENCE_SECONDS

log = structlog.get_logger(__name__)


class Watch:
    """A thread that keeps a machine that draws nothing in the fleet, and tells it who is there."""

    LOOK_SECONDS = 1.0

    def __init__(self, membership: Membership) -> None:
        self._membership = membership
        self._stopping = threading.Event()
        self._failed = False
        self._looking_since: float | None = None
        self._thread = threading.Thread(target=self._work, name="watch", daemon=True)

    def start(self) -> None:
        """Join. Raises as :meth:`Membership.acquire`."""
        self._membership.acquire()
        self._thread.start()

    def stop(self, seconds: float) -> None:
        """Leave. A database that stands still is waited for ``seconds`` at most."""
        self._stopping.set()
        self._thread.join(seconds)
        if not self._thread.is_alive():
            self._membership.release()

    @property
    def failed(self) -> bool:
        """Whether the last look failed, or the one under way takes so long that the database does not answer."""
        since = self._looking_since
        return self._failed or (since is not None and time.monotonic() - since > PATIENCE_SECONDS)

    def _work(self) -> None:
        while not self._stopping.wait(self.LOOK_SECONDS):
            self._looking_since = time.monotonic()
            try:
                self._membership.renew()
            except Exception:
                self._failed = True
                log.exception("the fleet cannot be seen; trying again")
            else:
                self._failed = False
            self._looking_since = None
