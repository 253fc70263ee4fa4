"""Where the networks run, and in which precision."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import psutil
import torch

from restyle.engines.base import Machine
from restyle.engines.processor import has_bfloat16_tiles
from restyle.engines.torch_mode import checked

PRECISIONS = {"float32": torch.float32, "float16": torch.float16, "bfloat16": torch.bfloat16}


@dataclass(frozen=True, slots=True)
class Device:
    """``unet`` and ``text`` are the precisions of the UNet (and ControlNet) and of the text and image encoders.

    The VAE always runs in float32: in half precision SDXL's overflows, and it is a small part of the work. With
    ``offload`` a network is on the device only while it works.
    """

    name: str
    unet: torch.dtype
    text: torch.dtype
    offload: bool = False

    @classmethod
    def of(cls, machine: Machine) -> "Device":
        """What ``machine`` asks for. Raises RestyleError (5000) where it is not there."""
        fastest = "cuda" if torch.cuda.is_available() else "cpu"
        name = fastest if machine.device == "auto" else checked(machine.device)
        on_cpu = name == "cpu"
        if machine.precision == "auto":
            unet = torch.float16
            if on_cpu:
                unet = torch.bfloat16 if has_bfloat16_tiles() else torch.float32
        else:
            unet = PRECISIONS[machine.precision]
        return cls(name, unet, torch.float32 if on_cpu else unet, machine.offload and not on_cpu)

    @property
    def source(self) -> str:
        """Where tensors are read to first: into memory, or, of networks without numbers (``meta``), nowhere."""
        return "meta" if self.name == "meta" else "cpu"

    @contextmanager
    def using(self, *networks: torch.nn.Module) -> Iterator[None]:
        """Have ``networks`` on the device inside the block."""
        if not self.offload:
            yield
            return
        try:
            for network in networks:
                network.to(self.name)
            yield
        finally:
            for network in networks:
                network.to("cpu")

    def place(self, network: torch.nn.Module) -> None:
        """Put a network where it waits for work."""
        network.to("cpu" if self.offload else self.name)

    def clear(self) -> None:
        """Give memory that nothing uses back to the device."""
        if self.name.startswith("cuda"):
            torch.cuda.empty_cache()
        elif self.name.startswith("mps"):
            torch.mps.empty_cache()

    def free_bytes(self) -> int:
        """Memory that a task could still take."""
        if self.name.startswith("cuda"):
            return int(torch.cuda.mem_get_info(self.name)[0])
        return int(psutil.virtual_memory().available)
