"""How torch computes while an engine of ours works, and as before afterwards: the process may be someone else's."""

import os
from collections.abc import Callable, Generator, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from typing import Any, TypeVar

import torch

from restyle.wire.codes import Code
from restyle.wire.errors import RestyleError

Piece = TypeVar("Piece")

WORKSPACE, FIXED = "CUBLAS_WORKSPACE_CONFIG", ":4096:8"
"""cuBLAS repeats itself bit for bit only with workspaces of fixed size, which it takes from the environment."""
WRITTEN_BY_TORCH = "TORCHINDUCTOR_CACHE_DIR"
"""In the environment, with the first optimizer."""


@contextmanager
def torch_mode(threads: int, device: str) -> Iterator[None]:
    """The same bytes every time, with ``threads``, inside the block; all that is process-wide is put back after it.

    No choice of algorithm by stopwatch, none that adds in changing order; numbers of single precision, and gradients,
    whatever the caller has set. ``device`` is where the work is done, as torch names it.
    """
    with ExitStack() as stack:
        for variable in (WORKSPACE, WRITTEN_BY_TORCH):
            stack.callback(_put_back, variable, os.environ.get(variable))
        stack.callback(torch.set_num_threads, torch.get_num_threads())
        stack.callback(torch.set_default_dtype, torch.get_default_dtype())
        stack.callback(
            torch.use_deterministic_algorithms,
            torch.are_deterministic_algorithms_enabled(),
            warn_only=torch.is_deterministic_algorithms_warn_only_enabled(),
        )
        filling: Any = torch.utils.deterministic
        stack.callback(setattr, filling, "fill_uninitialized_memory", filling.fill_uninitialized_memory)
        stack.callback(setattr, torch.backends.cudnn, "benchmark", torch.backends.cudnn.benchmark)
        # libraries draw first weights for what is loaded over them
        stack.enter_context(torch.random.fork_rng(devices=[]))

        if device.startswith("cuda"):
            os.environ[WORKSPACE] = FIXED
        torch.set_num_threads(threads)
        torch.set_default_dtype(torch.float32)
        torch.use_deterministic_algorithms(True, warn_only=True)
        # else all memory is written once more, to tell who reads what was never written
        filling.fill_uninitialized_memory = False
        torch.backends.cudnn.benchmark = False
        stack.enter_context(torch.inference_mode(False))
        stack.enter_context(torch.enable_grad())
        yield


def _put_back(variable: str, value: str | None) -> None:
    if value is None:
        os.environ.pop(variable, None)
    else:
        os.environ[variable] = value


def within(mode: Callable[[], AbstractContextManager[None]], work: Generator[Piece, None, None]) -> Iterator[Piece]:
    """What ``work`` yields, each piece made inside a ``mode`` of its own: between the pieces the caller is outside."""
    try:
        while True:
            with mode():
                try:
                    piece = next(work)
                except StopIteration:
                    return
            yield piece
    finally:
        with mode():
            work.close()


def checked(name: str) -> str:
    """``name``, a device as torch names it. Raises RestyleError (5000) where the machine does not have it."""
    index = torch.device(name).index or 0
    if name.startswith("cuda") and index >= torch.cuda.device_count():
        raise RestyleError(
            Code.INTERNAL_ERROR, f'the setting diffusion_device is "{name}", and torch finds no such device here'
        )
    return name
