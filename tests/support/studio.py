"""A diffusion engine over tiny checkpoints that were registered as an operator registers them."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from restyle.conversion.defaults import checked_defaults
from restyle.engines.base import Adapter, Description, Feature, Inference, Job, Pixels, Report
from restyle.engines.diffusion.engine import Diffusion, load
from restyle.models.catalogue import Architecture, Catalogue, Entry
from restyle.models.install import Wish, install
from restyle.settings import Settings
from tests.support import adapters, checkpoints
from tests.support.pictures import picture

SD15, SDXL = Architecture.SD15, Architecture.SDXL
RAW = np.asarray(picture(64, 64))
STYLE = np.asarray(picture(48, 96))[:, ::-1].copy()
STEPS = 6


class Studio:
    """``files`` holds the files of every kind. Registered from the start are, for each architecture ``a``: the main
    models ``a folder`` and ``a file``, the LoRAs ``a lora``, ``a lora 2`` and ``a peft lora``, the embedding ``a word``
    (woken by ``zorp``) and, for sd15, the hypernetwork ``sd15 hyper``.
    """

    def __init__(self, folder: Path, **settings: Any) -> None:
        self.files = folder / "files"
        self.settings = Settings(
            data_dir=folder / "data", threads=1, diffusion_precision="float32", diffusion_device="cpu", **settings
        )
        self.catalogue = Catalogue.read(self.settings.data_dir)
        if not self.files.exists():
            build(self.files)
            for path, wish in standard(self.files):
                install(self.catalogue, path, wish, check_defaults=checked_defaults)
        self.engine: Diffusion = load(self.settings)
        self._plain: dict[str, Pixels] = {}

    def job(self, model: str, **changes: Any) -> Job:
        """A job at 64 x 64 of six steps; ``steps``, ``sampler``, ``clip_skip``, ``cfg_scale`` go to its inference."""
        names = ("steps", "sampler", "clip_skip", "cfg_scale")
        inference = Inference(**{"steps": STEPS, **{name: changes.pop(name) for name in names if name in changes}})
        values = {"strength": 0.5, "seeds": (7,), "positive_prompts": ("a red fox, watercolour",), **changes}
        return Job(
            raw=values.pop("raw", RAW), style=values.pop("style", STYLE), model=model, inference=inference, **values
        )

    def draw(self, model: str, report: Report = lambda fraction: None, **changes: Any) -> Pixels:
        """The first picture of a job."""
        return next(iter(self.batch(model, report, **changes)))

    def plain(self, model: str) -> Pixels:
        """The picture of the job that changes nothing, drawn once."""
        if model not in self._plain:
            self._plain[model] = self.draw(model)
        return self._plain[model]

    def batch(self, model: str, report: Report = lambda fraction: None, **changes: Any) -> list[Pixels]:
        """All pictures of a job."""
        return list(self.engine.convert(self.job(model, **changes), report))

    def describe(self, model: str, **changes: Any) -> Description:
        return self.engine.describe(self.job(model, **changes))

    @contextmanager
    def registered(self, name: str, **wish: Any) -> Iterator[Entry]:
        """One more of the files, by its name, registered inside the block under that name."""
        wished = Wish(**{"code": name, **wish})
        entry = install(self.catalogue, self.files / name, wished, check_defaults=checked_defaults)
        try:
            yield entry
        finally:
            self.catalogue.remove(entry.code)


def lora(code: str, weight: float = 1.0) -> Adapter:
    return Adapter(code, Feature.LORA, weight)


def word(code: str) -> Adapter:
    return Adapter(code, Feature.EMBEDDING)


def hyper(code: str, strength: float = 1.0) -> Adapter:
    return Adapter(code, Feature.HYPERNETWORK, strength)


def build(files: Path) -> None:
    """Every file that tests register."""
    files.mkdir(parents=True)
    checkpoints.image_encoder(files / "encoder")
    adapters.hypernetwork(files / "hyper.pt")
    adapters.hypernetwork(files / "hyper2.pt", seed=301, widths=(64,), activation_func="swish")
    for base in Architecture:
        checkpoints.folder(files / f"{base}", base)
        checkpoints.single_file(files / f"{base}.safetensors", base)
        checkpoints.single_file(files / f"{base}-bare.safetensors", base, with_vae=False, seed=50)
        checkpoints.vae_file(files / f"{base}-vae.safetensors", base)
        checkpoints.controlnet(files / f"{base}-control", base)
        adapters.ip_adapter(files / f"{base}-ip.safetensors", base)
        adapters.ip_adapter(files / f"{base}-ip-plus.safetensors", base, plus=True)
        adapters.lora(files / f"{base}-lora.safetensors", base)
        adapters.lora(files / f"{base}-lora2.safetensors", base, seed=101, text=False)
        adapters.lora(files / f"{base}-peft.safetensors", base, seed=102, layout="diffusers")
        adapters.embedding(files / f"{base}-word.safetensors", base)
    adapters.embedding(files / "sd15-word.pt", SD15)


def standard(files: Path) -> Iterator[tuple[Path, Wish]]:
    """What every test finds registered."""
    for base in Architecture:
        yield files / f"{base}", Wish(f"{base} folder")
        yield files / f"{base}.safetensors", Wish(f"{base} file")
        yield files / f"{base}-lora.safetensors", Wish(f"{base} lora", architecture=base, trigger_words=("glimmer",))
        yield files / f"{base}-lora2.safetensors", Wish(f"{base} lora 2", architecture=base)
        yield files / f"{base}-peft.safetensors", Wish(f"{base} peft lora", architecture=base)
        yield files / f"{base}-word.safetensors", Wish(f"{base} word", architecture=base, trigger_words=("zorp",))
    yield files / "hyper.pt", Wish("sd15 hyper", architecture=SD15)
    yield files / "hyper2.pt", Wish("sd15 hyper 2", architecture=SD15)
