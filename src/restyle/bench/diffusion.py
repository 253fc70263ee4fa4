"""What the diffusion engine costs beside its networks: ``python -m restyle.bench.diffusion MODELCODE [SIDE]``.

Time is the processor's, of this process, so that a busy machine does not count. What the networks need is measured by
evaluating them alone, with nothing attached, as often and on inputs of the same shapes as in the run.
"""

import sys
import time
from collections import Counter
from collections.abc import Callable
from functools import partial
from typing import Any

import torch

from restyle.bench import memory
from restyle.bench.report import Bar, Section, table
from restyle.bench.speed import noise
from restyle.engines.base import Inference, Job
from restyle.engines.diffusion.engine import Diffusion, load
from restyle.engines.diffusion.memory import Needs
from restyle.settings import Settings

STEPS = 20
SIDE = 64
MOST_PERCENT = 10
ROUNDS = 3

Key = tuple[str, tuple[int, ...]]


class Calls:
    """Counts the calls of a checkpoint's UNet and VAE by the shape they were given, and keeps one of each."""

    def __init__(self, unet: Any, vae: Any) -> None:
        self.count: Counter[Key] = Counter()
        self._kept: dict[Key, Callable[[], object]] = {}
        self._networks = {"UNet": unet, "VAE encoder": vae.encoder, "VAE decoder": vae.decoder}
        self._hooks = [
            network.register_forward_pre_hook(self._listen(name, network), with_kwargs=True)
            for name, network in self._networks.items()
        ]

    def _listen(self, name: str, network: Any) -> Callable[..., None]:
        def hook(module: Any, given: tuple[Any, ...], named: dict[str, Any]) -> None:
            key = (name, tuple(given[0].shape))
            self.count[key] += 1
            self._kept.setdefault(key, lambda: network(*given, **named))

        return hook

    @torch.inference_mode()
    def alone(self) -> dict[str, float]:
        """Seconds that the same calls take without anything around them, by network."""
        for hook in self._hooks:
            hook.remove()
        seconds: dict[str, float] = dict.fromkeys(self._networks, 0.0)
        for key, call in self._kept.items():
            call()
            seconds[key[0]] += self.count[key] * min(_seconds(call) for _ in range(ROUNDS))
        return seconds


def _seconds(call: Callable[[], object]) -> float:
    start = time.process_time()
    call()
    return time.process_time() - start


def overhead(engine: Diffusion, code: str, side: int = SIDE) -> tuple[float, dict[str, float]]:
    """Seconds of a whole 20-step job of a model that is loaded, and of its networks alone."""

    def run(seed: int) -> None:
        # a new reference each time, so that its half is not at hand
        job = Job(noise(side), noise(side, seed=seed), 0.5, (seed,), model=code, inference=Inference(STEPS))
        list(engine.convert(job, lambda fraction: None))

    run(1)
    checkpoint = engine.checkpoint(code)
    whole = min(_seconds(partial(run, seed)) for seed in range(2, 2 + ROUNDS))
    calls = Calls(checkpoint.unet, checkpoint.vae)
    run(2 + ROUNDS)
    return whole, calls.alone()


def run(engine: Diffusion, code: str, side: int = SIDE) -> Section:
    """The section of the report."""
    whole, networks = overhead(engine, code, side)
    ours = whole - sum(networks.values())
    rows = [[name, f"{value:.3f} s", f"{value / whole:.1%}"] for name, value in networks.items()]
    rows += [["the rest", f"{ours:.3f} s", f"{ours / whole:.1%}"], ["whole job", f"{whole:.3f} s", ""]]
    section = Section(f"Diffusion: {code} at {side} x {side}, {STEPS} steps, style injection")
    section.text = [table(["part", "processor time", "share"], rows)]
    section.bars.append(Bar("outside UNet and VAE", 100 * ours / whole, MOST_PERCENT, unit=" %"))
    return section


def peak(engine: Diffusion, code: str, side: int) -> str:
    """One picture of ``side`` squared: peak of this process beside what the weights and the calculation say."""
    job = Job(noise(side), noise(512), 0.5, (1,), model=code, inference=Inference(6))
    checkpoint = engine.checkpoint(code)
    before = memory.current()
    list(engine.convert(job, lambda fraction: None))
    number = next(checkpoint.unet.parameters()).element_size()
    needed = Needs.of(checkpoint.unet, checkpoint.vae, number, 2, checkpoint.native).bytes(side, side)
    mib = 1024 * 1024
    return f"{(memory.peak() - before) / mib:.0f} MiB above the loaded model, {needed / mib:.0f} MiB by calculation"


def main() -> None:
    """Print the section; with a side, the peak memory of a picture of that size as well."""
    code, sides = sys.argv[1], [int(text) for text in sys.argv[2:]]
    engine = load(Settings())
    section = run(engine, code)
    print(section.title, *section.text, *("  ".join(bar.row()) for bar in section.bars), sep="\n")
    for side in sides:
        print(f"{side} x {side}: {peak(engine, code, side)}")


if __name__ == "__main__":
    main()
