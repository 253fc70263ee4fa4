"""What an operator can install from the page, and how that comes on. One thing at a time, each in its own time."""

import threading
from collections.abc import Callable
from dataclasses import dataclass

import structlog

from restyle.conversion.models import missing_libraries
from restyle.engines.base import Family
from restyle.engines.families import FAMILIES
from restyle.http.service import Service
from restyle.models.files import packages
from restyle.wire.errors import RestyleError

log = structlog.get_logger(__name__)


@dataclass(slots=True)
class Offer:
    """Something that can be installed. ``state`` is missing, waiting, running, installed or failed."""

    name: str
    model: str
    size: int
    package: str
    state: str
    lacks: tuple[str, ...] = ()
    hint: str = ""
    error: str = ""


class Installs:
    """The installs of one service."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._lock = threading.Lock()
        self._states: dict[str, tuple[str, str]] = {}
        self._one = threading.Lock()

    def offers(self) -> list[Offer]:
        """All that can be installed, and how it stands."""
        return [self._offer(family) for family in FAMILIES if family.weights is not None]

    def begin(self, name: str) -> bool:
        """Install the weights of that engine, in a thread of its own; False where there is no such engine."""
        family = next((each for each in FAMILIES if each.name == name and each.weights is not None), None)
        if family is None:
            return False
        with self._lock:
            if self._states.get(name, ("", ""))[0] in ("waiting", "running"):
                return True
            self._states[name] = "waiting", ""
        work: Callable[[], None] = lambda: self._install(family)  # noqa: E731 - bound to the family for its thread
        threading.Thread(target=work, name=f"install {name}", daemon=True).start()
        return True

    def _install(self, family: Family) -> None:
        weights = family.weights
        assert weights is not None
        with self._one:
            self._say(family, "running")
            try:
                packages.install(
                    self._service.settings.data_dir / "models" / weights.path,
                    weights,
                    command=f"restyle models install {family.name}",
                )
            except RestyleError as error:
                self._say(family, "failed", error.message)
            except Exception:
                log.exception("an install failed", engine=family.name)
                self._say(family, "failed", "the service's log says why")
            else:
                self._say(family, "installed")

    def _say(self, family: Family, state: str, error: str = "") -> None:
        with self._lock:
            self._states[family.name] = state, error

    def _offer(self, family: Family) -> Offer:
        weights = family.weights
        assert weights is not None
        with self._lock:
            state, error = self._states.get(family.name, ("missing", ""))
        if (self._service.settings.data_dir / "models" / weights.path).exists():
            state, error = "installed", ""
        lacking = missing_libraries(family)
        hint = family.install if lacking else ""
        return Offer(family.name, family.model, weights.size, weights.package, state, lacking, hint, error)
