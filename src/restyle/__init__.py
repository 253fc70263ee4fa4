"""Redraw a picture in the style of another.

``convert(raw, style, **options)`` draws in this process; :class:`Client` and :class:`AsyncClient` ask a service.
:class:`Options` says what can be asked for, and everything raises :class:`RestyleError`.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from restyle.client.asynchronous import AsyncClient
    from restyle.client.sync import Client
    from restyle.conversion.options import Options
    from restyle.library import convert
    from restyle.wire.errors import RestyleError

__version__ = "0.2.0"
__all__ = ["AsyncClient", "Client", "Options", "RestyleError", "__version__", "convert"]

_HOMES = {
    "AsyncClient": "restyle.client.asynchronous",
    "Client": "restyle.client.sync",
    "Options": "restyle.conversion.options",
    "RestyleError": "restyle.wire.errors",
    "convert": "restyle.library",
}


def __getattr__(name: str) -> Any:
    """Import what is asked for when it is asked for: a client needs no engine, and the command starts at once."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
