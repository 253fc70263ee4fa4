"""Networks without weights, which a file's tensors fill."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from accelerate import init_empty_weights
from torch.overrides import TorchFunctionMode

INITIALISERS = ("torch.nn.init", "transformers.initialization")
"""Modules whose functions fill tensors in place."""


class _Untouched(TorchFunctionMode):
    """Leaves out what would fill tensors that have no memory: working out its shapes is a third of all loading."""

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        if getattr(func, "__module__", None) in INITIALISERS:
            tensor = args[0] if args else kwargs["tensor"]
            if tensor.is_meta:
                return tensor
        return func(*args, **kwargs)


@contextmanager
def without_weights(*, buffers: bool = False) -> Iterator[None]:
    """Networks built inside take no memory: not for their weights and, unless ``buffers``, not for their buffers."""
    with init_empty_weights(include_buffers=not buffers), _Untouched():
        yield
