"""OpenVINO, imported in silence: of itself it tells an analytics service of every import, and writes into the home.

It does so through a package of its own, ``openvino_telemetry``, and falls back on functions that do nothing where that
is not installed. So for as long as the import takes, it is not. Everything of ours that computes with OpenVINO takes
it from here; a process that has imported it before has made its own choice.
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import cast

__all__ = ["op", "ov"]


@contextmanager
def _absent(package: str) -> Iterator[None]:
    """Inside the block, importing ``package`` fails as it does where it is not installed."""
    modules = cast(dict[str, ModuleType | None], sys.modules)
    there = {name: modules[name] for name in [*modules] if name == package or name.startswith(f"{package}.")}
    modules.update({**dict.fromkeys(there), package: None})
    try:
        yield
    finally:
        del modules[package]
        modules.update(there)


with _absent("openvino_telemetry"):
    import openvino as ov
    import openvino.opset13 as op
