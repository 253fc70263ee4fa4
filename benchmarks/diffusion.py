"""What the diffusion engine costs beside its networks: ``python -m benchmarks.diffusion MODELCODE [SIDE ...]``.

Time is the processor's, of this process, so that a busy machine counts little; networks are timed inside the job that
calls them. What sub-models and style injection do inside the UNet's layers counts as the UNet's.
"""

import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks import memory
from benchmarks.report import Bar, Section, table
from benchmarks.speed import noise
from restyle.conversion.defaults import checked_defaults
from restyle.conversion.draw import machine_of
from restyle.engines.base import File, Inference, Job, Role, Style
from restyle.engines.diffusion import injection
from restyle.engines.diffusion.engine import Diffusion, load
from restyle.engines.diffusion.memory import Needs
from restyle.engines.diffusion.recipe import Recipe
from restyle.models.catalogue import Catalogue, Entry
from restyle.models.install import Wish, install
from restyle.models.kinds import Architecture, Kind
from restyle.settings import Settings

STEPS = 20
SIDE = 64
MOST_PERCENT = 10
ROUNDS = 3
SUB_MODELS = (Kind.LORA, Kind.EMBEDDING, Kind.HYPERNETWORK)


class Clock:
    """Adds up the processor time that networks take, while they are called by whom they are."""

    def __init__(self, networks: dict[str, Any]) -> None:
        self.seconds: dict[str, float] = dict.fromkeys(networks, 0.0)
        self._started = 0.0
        self._hooks = [
            hook
            for name, network in networks.items()
            for hook in (
                network.register_forward_pre_hook(self._start),
                network.register_forward_hook(self._stop(name)),
            )
        ]

    def _start(self, module: Any, given: Any) -> None:
        self._started = time.process_time()

    def _stop(self, name: str) -> Callable[[Any, Any, Any], None]:
        def hook(module: Any, given: Any, output: Any) -> None:
            self.seconds[name] += time.process_time() - self._started

        return hook

    def remove(self) -> None:
        """Measure no more."""
        for hook in self._hooks:
            hook.remove()


def file_of(entry: Entry, weight: float = 1.0) -> File:
    """A registered model, as an engine gets it."""
    return File(
        role=Role(entry.kind.value),
        path=entry.path,
        sha256=entry.sha256,
        name=entry.code if entry.kind in SUB_MODELS else entry.name,
        format=entry.format,
        architecture=entry.architecture or "",
        facts=entry.facts,
        trigger_words=entry.trigger_words,
        weight=weight,
    )


def tiny(folder: Path) -> File:
    """A checkpoint with the topology of Stable Diffusion 1.5, few channels and random weights, made in ``folder``."""
    from tests.support import checkpoints

    path = checkpoints.single_file(folder / "tiny.safetensors", Architecture.SD15)
    catalogue = Catalogue.read(folder / "data")
    return file_of(install(catalogue, path, Wish(code="tiny"), check_defaults=checked_defaults))


def _job(main: File, side: int, style_side: int, seed: int, steps: int) -> Job:
    styles = (Style(noise(style_side, seed=seed)),)
    return Job(noise(side), styles, 0.5, (seed,), inference=Inference(steps), files=(main,))


def overhead(engine: Diffusion, main: File, side: int = SIDE) -> tuple[float, dict[str, float]]:
    """Seconds of a whole 20-step job of a model that is loaded, and of its networks in it; the best of several."""

    def run(seed: int) -> tuple[float, dict[str, float]]:
        # a new reference each time, so that its half is not at hand
        job = _job(main, side, side, seed, STEPS)
        clock = Clock({"UNet": found.unet, "VAE encoder": found.vae.encoder, "VAE decoder": found.vae.decoder})
        start = time.process_time()
        list(engine.convert(job, lambda fraction: None))
        whole = time.process_time() - start
        clock.remove()
        return whole, clock.seconds

    found: Any = engine.checkpoint(main)
    run(0)
    return min((run(seed) for seed in range(1, 1 + ROUNDS)), key=lambda measured: measured[0])


def run(engine: Diffusion, main: File, side: int = SIDE) -> Section:
    """The section of the report."""
    whole, networks = overhead(engine, main, side)
    ours = whole - sum(networks.values())
    rows = [[name, f"{value:.3f} s", f"{value / whole:.1%}"] for name, value in networks.items()]
    rows += [["the rest", f"{ours:.3f} s", f"{ours / whole:.1%}"], ["whole job", f"{whole:.3f} s", ""]]
    section = Section(f"Diffusion: {main.name} at {side} x {side}, {STEPS} steps, style injection")
    section.text = [table(["part", "processor time", "share"], rows)]
    section.bars.append(Bar("outside UNet and VAE", 100 * ours / whole, MOST_PERCENT, unit=" %"))
    return section


def peak(engine: Diffusion, main: File, side: int) -> str:
    """One picture of ``side`` squared: peak of this process beside what the weights and the calculation say."""
    job = _job(main, side, 512, 1, 6)
    checkpoint = engine.checkpoint(main)
    before = memory.current()
    list(engine.convert(job, lambda fraction: None))
    number = next(checkpoint.unet.parameters()).element_size()
    moved = Recipe.of(job).moved
    kept = injection.kept_bytes(checkpoint.unet, moved.blocks, number, moved.inversion_steps)
    needed = Needs.of(checkpoint.unet, checkpoint.vae, number, 2, checkpoint.native, kept).bytes(side, side)
    mib = 1024 * 1024
    return f"{(memory.peak() - before) / mib:.0f} MiB above the loaded model, {needed / mib:.0f} MiB by calculation"


def main() -> None:
    """Print the section; with a side, the peak memory of a picture of that size as well."""
    code, sides = sys.argv[1], [int(text) for text in sys.argv[2:]]
    engine = load(machine_of(Settings(), own_process=True))
    file = file_of(Catalogue.read(Settings().data_dir).main(code))
    section = run(engine, file)
    print(section.title, *section.text, *("  ".join(bar.row()) for bar in section.bars), sep="\n")
    for side in sides:
        print(f"{side} x {side}: {peak(engine, file, side)}")


if __name__ == "__main__":
    main()
