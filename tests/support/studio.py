"""A diffusion engine over tiny checkpoints that were registered as an operator registers them.

What a job draws with is asked for by name here, and looked up: the engine gets files.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.diffusion import file_of
from restyle.conversion.defaults import checked_defaults, checked_recipe
from restyle.engines.base import Description, File, Inference, Job, Machine, Report, Style
from restyle.engines.diffusion.engine import Diffusion, load
from restyle.engines.diffusion.session import digest
from restyle.images.pixels import Pixels
from restyle.models.catalogue import Catalogue
from restyle.models.install import Wish, install
from restyle.models.kinds import Architecture, Kind
from restyle.settings import Settings
from tests.support import checkpoints, submodels
from tests.support.pictures import picture

SD15, SDXL = Architecture.SD15, Architecture.SDXL
RAW = np.asarray(picture(64, 64))
STYLE = np.asarray(picture(48, 96))[:, ::-1].copy()
STEPS = 2
"""Fewer than a request may ask for, since a tiny drawing shows as much in two steps as in six."""
NOTHING = np.zeros((0, 0, 3), np.uint8)
QUICK = {"injection": {"inversion_steps": STEPS}}
"""A recipe that inverts in as few; else it would be the most of every drawing."""


class Studio:
    """``files`` holds the files of every kind. Registered from the start are, for each architecture ``a``: the main
    models ``a folder`` and ``a file``, the LoRAs ``a lora``, ``a lora 2`` and ``a peft lora``, the embedding ``a word``
    (woken by ``zorp``) and, for sd15, the hypernetwork ``sd15 hyper``.
    """

    def __init__(self, folder: Path, **machine: Any) -> None:
        self.files = folder / "files"
        self.machine = Machine(**{"precision": "float32", "device": "cpu", **machine})
        self.settings = Settings(
            data_dir=folder / "data", threads=1, diffusion_precision="float32", diffusion_device="cpu"
        )
        self.catalogue = Catalogue.read(self.settings.data_dir)
        if not self.files.exists():
            build(self.files)
            for path, wish in standard(self.files):
                install(self.catalogue, path, wish, check_defaults=checked_defaults)
        self.engine: Diffusion = load(self.machine)
        self._drawn: dict[str, Pixels] = {}

    def job(
        self,
        model: str,
        subs: tuple["Sub", ...] = (),
        *,
        raw: Pixels = RAW,
        style: Pixels = STYLE,
        own_vae: bool = False,
        **changes: Any,
    ) -> Job:
        """A job at 64 x 64 of few steps; ``steps``, ``sampler``, ``clip_skip``, ``cfg_scale`` go to its inference.

        It draws with what is registered: the first IP-Adapter with an encoder for it, ControlNet and VAE, unless
        ``own_vae``.
        """
        names = ("steps", "sampler", "clip_skip", "cfg_scale")
        inference = Inference(**{"steps": STEPS, **{name: changes.pop(name) for name in names if name in changes}})
        values = {"strength": 0.5, "seeds": (7,), "positive_prompts": ("a red fox, watercolour",), **changes}
        main = self.file(model)
        files = (
            main if main.recipe else replace(main, recipe=QUICK),
            *(self.file(sub.code, sub.weight) for sub in subs),
            *self._beside(model, own_vae),
        )
        return Job(raw=raw, styles=(Style(style),), inference=inference, files=files, **values)

    def file(self, code: str, weight: float = 1.0) -> File:
        """A registered model, as the engine gets it."""
        return file_of(self.catalogue.get(code), weight)

    def _beside(self, model: str, own_vae: bool) -> Iterator[File]:
        architecture = self.catalogue.get(model).architecture
        adapter = self.catalogue.default(Kind.IP_ADAPTER, architecture)
        encoder = self.catalogue.image_encoder(adapter) if adapter else None
        vae = None if own_vae else self.catalogue.default(Kind.VAE, architecture)
        control = self.catalogue.default(Kind.CONTROLNET, architecture)
        for entry in (adapter if encoder else None, encoder, control, vae):
            if entry is not None:
                yield file_of(entry)

    def draw(self, model: str, report: Report = lambda fraction: None, **changes: Any) -> Pixels:
        """The first picture of a job."""
        return next(iter(self.batch(model, report, **changes)))

    def once(self, model: str, **changes: Any) -> Pixels:
        """The same, drawn when it is first asked for: to compare with."""
        job = self.job(model, **changes)
        pictures = (job.raw, *(style.pixels for style in job.styles), job.control, job.mask)
        seen = [None if each is None else digest(each) for each in pictures]
        key = repr((seen, replace(job, raw=NOTHING, styles=(), control=None, mask=None)))
        if key not in self._drawn:
            self._drawn[key] = next(iter(self.engine.convert(job, lambda fraction: None)))
        return self._drawn[key]

    def plain(self, model: str) -> Pixels:
        """The picture of the job that changes nothing, drawn once."""
        return self.once(model)

    def batch(self, model: str, report: Report = lambda fraction: None, **changes: Any) -> list[Pixels]:
        """All pictures of a job."""
        return list(self.engine.convert(self.job(model, **changes), report))

    def describe(self, model: str, **changes: Any) -> Description:
        return self.engine.describe(self.job(model, **changes))

    @contextmanager
    def registered(self, name: str, **wish: Any) -> Iterator[File]:
        """One more of the files, by its name, registered inside the block under that name."""
        entry = install(
            self.catalogue,
            self.files / name,
            Wish(**{"code": name, **wish}),
            check_defaults=checked_defaults,
            check_recipe=checked_recipe,
        )
        try:
            yield file_of(entry)
        finally:
            self.catalogue.remove(entry.code)


@dataclass(frozen=True, slots=True)
class Sub:
    """A sub-model by its code."""

    code: str
    weight: float = 1.0


def build(files: Path) -> None:
    """Every file that tests register."""
    files.mkdir(parents=True)
    checkpoints.image_encoder(files / "encoder")
    submodels.hypernetwork(files / "hyper.pt")
    submodels.hypernetwork(files / "hyper2.pt", seed=301, widths=(64,), activation_func="swish")
    for base in Architecture:
        checkpoints.folder(files / f"{base}", base)
        checkpoints.single_file(files / f"{base}.safetensors", base)
        checkpoints.single_file(files / f"{base}-bare.safetensors", base, with_vae=False)
        checkpoints.vae_file(files / f"{base}-vae.safetensors", base)
        checkpoints.controlnet(files / f"{base}-control", base)
        submodels.ip_adapter(files / f"{base}-ip.safetensors", base)
        submodels.ip_adapter(files / f"{base}-ip-plus.safetensors", base, plus=True)
        submodels.lora(files / f"{base}-lora.safetensors", base)
        submodels.lora(files / f"{base}-lora2.safetensors", base, seed=101, text=False)
        submodels.lora(files / f"{base}-peft.safetensors", base, seed=102, layout="diffusers")
        submodels.embedding(files / f"{base}-word.safetensors", base)
    submodels.embedding(files / "sd15-word.pt", SD15)


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
