"""What engines that are measured may use: what the settings say, in a process of their own."""

import os

from restyle.engines.base import Machine
from restyle.settings import Settings


def machine() -> Machine:
    """This machine, by the settings in the environment."""
    settings = Settings()
    return Machine(
        threads=settings.threads or os.cpu_count() or 1,
        device=settings.diffusion_device,
        precision=settings.diffusion_precision,
        offload=settings.diffusion_offload,
        cache_bytes=settings.diffusion_cache_bytes,
        own_process=True,
    )
