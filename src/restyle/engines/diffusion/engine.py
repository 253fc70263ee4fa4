"""The diffusion engine: any checkpoint of Stable Diffusion 1.5 or SDXL, with its sub-models."""

import threading
from collections.abc import Generator, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

import numpy as np
import torch

from restyle.engines.base import Description, File, Job, Machine, Report
from restyle.engines.diffusion import hypernetwork, injection, memory
from restyle.engines.diffusion.components import Checkpoint
from restyle.engines.diffusion.device import Device
from restyle.engines.diffusion.files import broken
from restyle.engines.diffusion.memory import Needs
from restyle.engines.diffusion.progress import Progress
from restyle.engines.diffusion.quiet import quiet
from restyle.engines.diffusion.recipe import Recipe
from restyle.engines.diffusion.session import Session, Tools, digest
from restyle.engines.diffusion.stock import Stock
from restyle.engines.memory import is_shortage
from restyle.engines.torch_mode import torch_mode, within
from restyle.images.guided import GuidedFilter, recoloured
from restyle.images.pixels import Floats, Pixels


def load(machine: Machine) -> "Diffusion":
    """The engine; models are loaded when they are first asked for.

    Raises RestyleError (5000) where the device is not there.
    """
    return Diffusion(machine)


class Diffusion:
    """An engine (see ``engines.base``): draws with the file of role MAIN and whatever other files a job has.

    An IP-Adapter comes with its image encoder, and is the style's route then; without them the style is injected. One
    job draws at a time.
    """

    def __init__(self, machine: Machine) -> None:
        self._device = Device.of(machine)
        self._threads = machine.threads
        self._stock = Stock(self._device, machine.cache_bytes)
        self._follow = GuidedFilter(machine.threads, radius=16, contrast=0.1)
        self._lock = threading.Lock()

    @property
    def place(self) -> str:
        """The device, as torch names it."""
        return self._device.name

    def checkpoint(self, main: File) -> Checkpoint:
        """The networks of a main model, loaded; for measuring. Raises RestyleError (5101)."""
        with self._mode():
            return self._stock.checkpoint(main).checkpoint

    def hold(self, main: File, checkpoint: Checkpoint) -> None:
        """Draw ``main`` with these networks instead of loading its own; for measuring."""
        self._stock.hold(main, checkpoint)

    def describe(self, job: Job) -> Description:
        """Route, VAE, weights and sizes; loads nothing. Nothing at strength 0, where nothing is drawn."""
        return Description() if job.strength == 0 else Recipe.of(job).description()

    def convert(self, job: Job, report: Report) -> Iterator[Pixels]:
        """Yield one image per seed. Strength 0 yields the raw image itself.

        Raises RestyleError: 5101 for files that do not fit or drew no numbers, 5102 with the next smaller picture that
        would fit, 230 for a ClipSkip beyond the text encoder's layers. After it, failed or not, the engine is as it
        was before; only where oneDNN was what ran out of memory must the next one be drawn in another thread.
        """
        if job.strength == 0:
            return _untouched(job, report)
        return within(self._mode, self._images(job, report))

    @contextmanager
    def _mode(self) -> Iterator[None]:
        with torch_mode(self._threads, self._device.name), quiet():
            yield

    def _images(self, job: Job, report: Report) -> Generator[Pixels, None, None]:
        recipe = Recipe.of(job)
        with self._lock, self._in_memory(recipe), self._prepared(recipe, Progress(report)) as session:
            for seed in job.seeds:
                yield self._finished(session.draw(seed), job)
        report(1.0)

    @contextmanager
    def _prepared(self, recipe: Recipe, progress: Progress) -> Iterator[Session]:
        """A session whose networks are loaded and whose sub-models are attached; all is taken off after the block."""
        progress.beat()
        stock, job = self._stock, recipe.job
        loaded = stock.checkpoint(recipe.main)
        checkpoint = loaded.checkpoint
        coder = self._coder(recipe, checkpoint)
        height, width = job.raw.shape[:2]
        memory.check(width, height, self._needs(recipe, checkpoint.unet, coder), self._device.free_bytes())
        widths = tuple(int(encoder.config.hidden_size) for encoder in checkpoint.encoders)
        embeds = None
        heard: AbstractContextManager[None] = nullcontext()
        if recipe.adapter and recipe.encoder:
            adapter = stock.adapter(recipe.adapter, loaded)
            embeds = stock.embeds(recipe.encoder, job.style, digest(job.style), plus=adapter.plus)
            heard = adapter.attached(checkpoint.unet, recipe.moved.blocks, recipe.moved.style)
        control = stock.control(recipe.control) if recipe.control else None
        words = tuple(stock.embedding(file, widths) for file in recipe.embeddings)
        nets = [(stock.hypernetwork(file), file.weight) for file in recipe.hypernetworks]
        progress.beat()
        with loaded.loras.attached(recipe.loras) as brought, hypernetwork.attached(checkpoint.unet, nets), heard:
            tools = Tools(
                checkpoint=checkpoint,
                vae=coder,
                control=control,
                embeddings=(*words, *brought),
                image_embeds=embeds,
                inversions=stock.inversions,
            )
            yield Session(recipe, tools, self._device, progress)
        loaded.loras.trim()

    def _coder(self, recipe: Recipe, checkpoint: Checkpoint) -> Any:
        """The VAE of the recipe."""
        if recipe.vae is not None:
            return self._stock.vae(recipe.vae)
        if checkpoint.vae is None:
            raise broken(recipe.main, "it brings no VAE, and none was chosen in its stead")
        return checkpoint.vae

    def _needs(self, recipe: Recipe, unet: Any, vae: Any) -> Needs:
        number = torch.finfo(self._device.unet).bits // 8
        kept = 0.0
        # Elsewhere it is not the device's memory that holds it.
        if recipe.adapter is None and self._device.name == "cpu":
            kept = injection.kept_bytes(unet, recipe.moved.blocks, number, recipe.moved.inversion_steps)
        return Needs.of(unet, vae, number, 2 if recipe.cfg_scale > 1 else 1, recipe.native, kept)

    @contextmanager
    def _in_memory(self, recipe: Recipe) -> Iterator[None]:
        """Turn running out of memory inside the block into 5102, and give back all that can be given."""
        try:
            yield
        except Exception as error:
            if not is_shortage(error):
                raise
            height, width = recipe.job.raw.shape[:2]
            needs = None
            if self._stock.holds(recipe.main):
                checkpoint = self._stock.checkpoint(recipe.main).checkpoint
                needs = self._needs(recipe, checkpoint.unet, self._coder(recipe, checkpoint))
            memory.release(error)
            self._stock.clear()
            raise memory.shortage(width, height, needs, self._device.free_bytes()) from error

    def _finished(self, drawn: Floats, job: Job) -> Pixels:
        if job.preserve_color:
            scale = np.float32(255)
            drawn = scale * recoloured(drawn / scale, job.raw.astype(np.float32) / scale, self._follow)
        pixels: Pixels = np.clip(drawn + 0.5, 0, 255).astype(np.uint8)
        return pixels


def _untouched(job: Job, report: Report) -> Iterator[Pixels]:
    for index in range(len(job.seeds)):
        report(index / len(job.seeds))
        yield job.raw.copy()
    report(1.0)
