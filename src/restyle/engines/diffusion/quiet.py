"""Diffusers and transformers without their progress bars and remarks: what goes wrong the engine says itself."""

from collections.abc import Iterator
from contextlib import contextmanager

import diffusers
import transformers
from huggingface_hub.utils.tqdm import are_progress_bars_disabled, disable_progress_bars


@contextmanager
def quiet() -> Iterator[None]:
    """Inside the block; after it the libraries speak as before."""
    libraries = (diffusers.utils.logging, transformers.utils.logging)
    before = [(library.get_verbosity(), library.is_progress_bar_enabled()) for library in libraries]
    downloads = not are_progress_bars_disabled()
    try:
        for library in libraries:
            library.set_verbosity_error()
            library.disable_progress_bar()
        yield
    finally:
        for library, (verbosity, bars) in zip(libraries, before, strict=True):
            library.set_verbosity(verbosity)
            if bars:
                library.enable_progress_bar()
        if not downloads:  # transformers switches those of its other library along with its own
            disable_progress_bars()
