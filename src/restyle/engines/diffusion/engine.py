"""The diffusion engine: any registered checkpoint of Stable Diffusion 1.5 or SDXL, with its sub-models."""

import restyle.engines.diffusion.offline  # noqa: F401, I001 - before the libraries that read it

import os
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

import diffusers
import numpy as np
import openvino as ov
import torch
import transformers

from restyle.engines.base import Description, Job, Pixels, Report
from restyle.engines.diffusion import hypernetwork, injection, memory
from restyle.engines.diffusion.components import Checkpoint
from restyle.engines.diffusion.device import Device
from restyle.engines.diffusion.hires import Picture
from restyle.engines.diffusion.memory import Needs
from restyle.engines.diffusion.progress import Progress
from restyle.engines.diffusion.recipe import Recipe
from restyle.engines.diffusion.session import Session, Tools, digest
from restyle.engines.diffusion.stock import Stock
from restyle.engines.painter.filters import GuidedFilter, recoloured
from restyle.models.catalogue import Catalogue
from restyle.settings import Settings


def load(settings: Settings) -> "Diffusion":
    """The engine, with ``settings.threads``; models are loaded when they are first asked for.

    Raises RestyleError (5000) where the device of the settings is not there.
    """
    torch.set_num_threads(settings.threads or os.cpu_count() or 1)
    # the same bytes every time: no choice of algorithm by stopwatch, none that adds in changing order
    torch.backends.cudnn.benchmark = False
    torch.use_deterministic_algorithms(True, warn_only=True)
    for library in (diffusers.utils.logging, transformers.utils.logging):
        library.set_verbosity_error()
        library.disable_progress_bar()
    return Diffusion(settings)


class Diffusion:
    """An engine (see ``engines.base``) over the catalogue of ``settings.data_dir``. One job draws at a time."""

    def __init__(self, settings: Settings) -> None:
        self._data_dir = settings.data_dir
        self._catalogue = Catalogue.read(settings.data_dir)
        self._stamp = self._catalogue.stamp()
        self._device = Device.of(settings)
        self._stock = Stock(self._device, settings.diffusion_cache_bytes)
        options: dict[str, str | int] = {"NUM_STREAMS": 1, "INFERENCE_NUM_THREADS": torch.get_num_threads()}
        self._follow = GuidedFilter(ov.Core(), options, radius=16, contrast=0.1)
        self._lock = threading.Lock()

    @property
    def place(self) -> str:
        """The device, as torch names it."""
        return self._device.name

    def checkpoint(self, code: str) -> Checkpoint:
        """The networks of a main model, loaded; for measuring. Raises RestyleError (4004, 5101)."""
        return self._stock.checkpoint(self._registered().main(code)).checkpoint

    def describe(self, job: Job) -> Description:
        """Route, VAE, weights and sizes, told from the catalogue; loads nothing."""
        if job.strength == 0:
            return Description(notices=("StyleReferStrength 0 returns the raw image; nothing was drawn",))
        return Recipe.of(job, self._registered()).description()

    def convert(self, job: Job, report: Report) -> Iterator[Pixels]:
        """Yield one image per seed. Strength 0 yields the raw image itself.

        Raises RestyleError: 4004 for models that are gone, 5101 for files that do not fit or drew no numbers, 5102
        with the next smaller picture that would fit. After it, failed or not, the engine is as before.
        """
        if job.strength == 0:
            for index in range(len(job.seeds)):
                report(index / len(job.seeds))
                yield job.raw.copy()
            report(1.0)
            return
        recipe = Recipe.of(job, self._registered())
        with self._lock, self._in_memory(recipe), self._prepared(recipe, Progress(report)) as session:
            for seed in job.seeds:
                yield self._finished(session.draw(seed), job)
        report(1.0)

    def _registered(self) -> Catalogue:
        """The catalogue, read again where it has changed."""
        stamp = self._catalogue.stamp()
        if stamp != self._stamp:
            self._catalogue, self._stamp = Catalogue.read(self._data_dir), stamp
        return self._catalogue

    @contextmanager
    def _prepared(self, recipe: Recipe, progress: Progress) -> Iterator[Session]:
        """A session whose networks are loaded and whose sub-models are attached; all is taken off after the block."""
        progress.beat()
        stock, job = self._stock, recipe.job
        loaded = stock.checkpoint(recipe.main)
        checkpoint = loaded.checkpoint
        coder = checkpoint.vae if recipe.vae is None else stock.vae(recipe.vae)
        height, width = job.raw.shape[:2]
        memory.check(width, height, self._needs(recipe, checkpoint.unet, coder), self._device.free_bytes())
        widths = tuple(int(encoder.config.hidden_size) for encoder in checkpoint.encoders)
        embeds = None
        heard: AbstractContextManager[None] = nullcontext()
        if recipe.adapter and recipe.encoder:
            adapter = stock.adapter(recipe.adapter, loaded)
            embeds = stock.embeds(recipe.encoder, job.style, digest(job.style), plus=adapter.plus)
            heard = adapter.attached(checkpoint.unet, recipe.architecture, recipe.moved.style)
        tools = Tools(
            checkpoint=checkpoint,
            vae=coder,
            control=stock.control(recipe.control) if recipe.control else None,
            embeddings=tuple(stock.embedding(entry, widths) for entry in recipe.embeddings),
            image_embeds=embeds,
            styles=stock.styles,
        )
        nets = [(stock.hypernetwork(entry), strength) for entry, strength in recipe.hypernetworks]
        progress.beat()
        with loaded.loras.attached(recipe.loras), hypernetwork.attached(checkpoint.unet, nets), heard:
            yield Session(recipe, tools, self._device, progress)
        loaded.loras.trim()

    def _needs(self, recipe: Recipe, unet: Any, vae: Any) -> Needs:
        inference = recipe.job.inference
        number = torch.finfo(self._device.unet).bits // 8
        kept = 0.0
        # Elsewhere it is not the device's memory that holds it.
        if recipe.adapter is None and self._device.name == "cpu":
            kept = injection.kept_bytes(unet, recipe.architecture, number, inference.steps)
        return Needs.of(unet, vae, number, 2 if inference.cfg_scale > 1 else 1, recipe.native, kept)

    @contextmanager
    def _in_memory(self, recipe: Recipe) -> Iterator[None]:
        """Turn running out of memory inside the block into 5102, and give back all that can be given."""
        try:
            yield
        except Exception as error:
            if not memory.is_shortage(error):
                raise
            height, width = recipe.job.raw.shape[:2]
            needs = None
            if self._stock.holds(recipe.main):
                checkpoint = self._stock.checkpoint(recipe.main).checkpoint
                vae = checkpoint.vae if recipe.vae is None else self._stock.vae(recipe.vae)
                needs = self._needs(recipe, checkpoint.unet, vae)
            memory.release(error)
            self._stock.clear()
            raise memory.shortage(width, height, needs, self._device.free_bytes()) from error

    def _finished(self, drawn: Picture, job: Job) -> Pixels:
        if job.preserve_color:
            scale = np.float32(255)
            drawn = scale * recoloured(drawn / scale, job.raw.astype(np.float32) / scale, self._follow)
        pixels: Pixels = np.clip(drawn + 0.5, 0, 255).astype(np.uint8)
        return pixels
