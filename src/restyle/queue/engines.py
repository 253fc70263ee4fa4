"""The engines of one worker process, each loaded once, when first needed."""

from collections.abc import Callable
from pkgutil import resolve_name
from typing import Any

from restyle.engines.base import Engine
from restyle.models.registry import EngineFamily, Registry
from restyle.prompts.translator import Translator
from restyle.settings import Settings
from restyle.wire.codes import Code
from restyle.wire.errors import RestyleError


def resolve(reference: str) -> Callable[..., Any]:
    """The function that ``module:function`` names. Raises :class:`RestyleError` (5000) where there is none."""
    try:
        function: Callable[..., Any] = resolve_name(reference)
    except (ImportError, AttributeError, ValueError) as error:
        raise RestyleError(Code.INTERNAL_ERROR, f"{reference} names no function (module:function): {error}") from error
    return function


class Engines:
    """Finds the engine of a ModelCode."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self.registry: Registry = resolve(settings.registry)(settings)
        self._loaded: dict[str, Engine] = {}
        self.translator = Translator(settings.data_dir, threads=settings.threads or 1)

    def engine(self, family: EngineFamily) -> Engine:
        """The engine of that family, loaded if it is not yet: that may take seconds."""
        if family.load not in self._loaded:
            self._loaded[family.load] = resolve(family.load)(self._settings)
        return self._loaded[family.load]

    def warm(self) -> None:
        """Load the engine that comes along with Restyle; others are loaded by whoever asks for them."""
        for model in self.registry.mains.values():
            if model.is_official and model.file is None and not model.absence():
                self.engine(model.family)
