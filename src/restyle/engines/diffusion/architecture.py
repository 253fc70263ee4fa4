"""The architectures the engine knows."""

from enum import StrEnum


class Architecture(StrEnum):
    """The base model that a file is, or is made for: what :class:`restyle.engines.base.File` calls it."""

    SD15 = "sd15"
    SDXL = "sdxl"
