"""What a model file is for, and which base model it belongs to."""

from enum import StrEnum


class Kind(StrEnum):
    """What a file is for."""

    MAIN = "main"
    LORA = "lora"
    EMBEDDING = "embedding"
    HYPERNETWORK = "hypernetwork"
    VAE = "vae"
    IP_ADAPTER = "ip-adapter"
    IMAGE_ENCODER = "image-encoder"
    CONTROLNET = "controlnet"


class Architecture(StrEnum):
    """The base model that a file is, or is made for."""

    SD15 = "sd15"
    SDXL = "sdxl"

    @property
    def label(self) -> str:
        """The name people use."""
        return {"sd15": "SD 1.5", "sdxl": "SDXL"}[self.value]

    @property
    def context(self) -> int:
        """Width of the text that its cross-attention reads."""
        return {"sd15": 768, "sdxl": 2048}[self.value]
