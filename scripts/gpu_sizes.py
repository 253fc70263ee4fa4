"""Seconds and memory of the diffusion engine on random networks, beside diffusers' own pipeline in the same run."""

import copy
import gc
import math
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from PIL import Image
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection

from benchmarks.report import Bar, table
from restyle.conversion.trial import peak_memory
from restyle.engines.base import File, Inference, Job, Machine, Role, Style
from restyle.engines.diffusion import architecture, blueprint, injection
from restyle.engines.diffusion.components import Checkpoint
from restyle.engines.diffusion.device import Device
from restyle.engines.diffusion.engine import Diffusion, load
from restyle.engines.diffusion.memory import Needs
from restyle.engines.diffusion.recipe import Recipe
from restyle.engines.neighbour.memory import give_back
from restyle.images.resize import resized
from restyle.models.kinds import Architecture
from scripts.gpu_report import Report
from tests.support import checkpoints
from tests.support.library import pipeline
from tests.support.studio import RAW, STYLE

MIB = 1024 * 1024
CFG_SCALE = 2.0
"""What style injection holds the scale to: both sides of guidance are computed."""
CLIP_L = {"hidden_size": 768, "intermediate_size": 3072, "num_hidden_layers": 12, "num_attention_heads": 12}
CLIP_G = {"hidden_size": 1280, "intermediate_size": 5120, "num_hidden_layers": 32, "num_attention_heads": 20}
FULL: dict[Architecture, dict[str, Any]] = {
    Architecture.SD15: {
        **checkpoints.UNETS[Architecture.SD15],
        "block_out_channels": (320, 640, 1280, 1280),
        "cross_attention_dim": 768,
        "attention_head_dim": 8,
    },
    Architecture.SDXL: {
        **checkpoints.UNETS[Architecture.SDXL],
        "block_out_channels": (320, 640, 1280),
        "cross_attention_dim": 2048,
        "attention_head_dim": (5, 10, 20),
        "transformer_layers_per_block": (1, 2, 10),
        "projection_class_embeddings_input_dim": 1280 + 6 * 256,
    },
}


@dataclass(frozen=True, slots=True)
class Trial:
    """Random networks of ``base``, of the real widths if ``full``, in ``precision``, drawn with at ``sides`` pixels.

    ``steps`` are of a picture, ``threads`` the processor's. ``inversion`` are the steps of an inversion; the recipe's
    own where it is None.
    """

    base: Architecture
    precision: str
    sides: tuple[int, ...]
    steps: int
    threads: int
    full: bool
    inversion: int | None = None

    @property
    def name(self) -> str:
        """For people."""
        width = "full size" if self.full else "narrow"
        return f"{self.base.label}, {width}, {self.precision}, {self.steps} steps, {self.threads} threads"


@dataclass(frozen=True, slots=True)
class _Bench:
    """An engine that holds the trial's networks, and the pipeline over the same ones."""

    trial: Trial
    engine: Diffusion
    main: File
    checkpoint: Checkpoint
    theirs: Any

    @property
    def on_cpu(self) -> bool:
        return self.engine.place == "cpu"

    def job(self, side: int, seed: int) -> Job:
        raw, style = (resized(each, side, side) for each in (RAW, STYLE))
        inference = Inference(self.trial.steps, "DDIM", 1, CFG_SCALE)
        return Job(raw, (Style(style),), 1.0, (seed,), False, ("a red fox",), (), inference, (self.main,))

    def calculated(self, side: int) -> int:
        """Bytes beyond the weights, as the engine expects them."""
        word = next(self.checkpoint.unet.parameters()).element_size()
        moved = Recipe.of(self.job(side, 1)).moved
        unet, vae, native = self.checkpoint.unet, self.checkpoint.vae, self.checkpoint.native
        kept = injection.kept_bytes(unet, moved.blocks, word, moved.inversion_steps) if self.on_cpu else 0.0
        return Needs.of(unet, vae, word, 2, native, kept).bytes(side, side)


def measured(report: Report, trial: Trial, machine: Machine) -> None:
    """Build the networks and measure with them; what there is no time for is left out."""
    report.say(f"\n## {trial.name}\n")
    begun = time.monotonic()
    device = Device.of(machine)
    checkpoint = random_checkpoint(trial, device)
    report.say(f"Built in {time.monotonic() - begun:.1f} s; weights {checkpoint.size() / MIB:,.0f} MiB.\n")
    label = trial.base.label
    recipe = {} if trial.inversion is None else {"injection": {"inversion_steps": trial.inversion}}
    main = File(Role.MAIN, Path("random"), trial.name, label, "safetensors", trial.base.value, recipe=recipe)
    engine = load(machine)
    engine.hold(main, checkpoint)
    bench = _Bench(trial, engine, main, checkpoint, _pipeline(checkpoint, device))
    rows = [row for side in trial.sides if (row := _row(report, bench, side))]
    heads = ["size", "first picture", "another seed", "peak", "calculated", "diffusers", "its peak"]
    report.say("\n" + table(heads, rows))


def _row(report: Report, bench: _Bench, side: int) -> list[str]:
    """The table's cells of one size; none where it was not drawn."""
    what = f"{bench.trial.name}, {side} x {side}"
    is_native = side == min(bench.trial.sides, key=lambda each: abs(each - bench.checkpoint.native))
    cells: list[str] = []
    ours = math.inf
    if not report.has(0):
        report.leave_out(what)
        return []
    with report.check(what):
        # a processor takes minutes for one of full size
        seeds = (1, 2, 3) if is_native and not bench.on_cpu else (1,) if bench.on_cpu and bench.trial.full else (1, 2)
        seconds, peak = _drawn(report, bench, side, seeds)
        ours, calculated = min(seconds[1:], default=math.inf), bench.calculated(side)
        another = "" if ours == math.inf else f"{ours:.2f} s"
        cells = [f"{side} x {side}", f"{seconds[0]:.2f} s", another, _mib(peak), _mib(calculated)]
        if bench.trial.full and not bench.on_cpu:
            report.bars.append(Bar(f"{what}: peak beyond the weights, of the calculation", peak / calculated, 1.1))
    if not cells:
        return []
    if not report.has(0):
        report.leave_out(f"{what}: diffusers' pipeline")
        return [*cells, "", ""]
    with report.check(f"{what}: diffusers' pipeline"):
        try:
            other, most = _piped(report, bench, side, rounds=2 if is_native and not bench.on_cpu else 1)
        except torch.OutOfMemoryError:
            return [*cells, "out of memory", ""]
        cells += [f"{other:.2f} s", _mib(most)]
        if is_native and not bench.on_cpu:
            report.bars.append(Bar(f"{what}: seconds, of diffusers'", ours / other, 1.05))
    return [*cells, *[""] * (7 - len(cells))]


def _drawn(report: Report, bench: _Bench, side: int, seeds: tuple[int, ...]) -> tuple[list[float], int]:
    """Seconds of a picture of each seed, the first with both inversions, and the peak beyond what was there before."""
    base = _resident()
    with peak_memory() as peak:
        seconds = [
            _timed(lambda seed=seed: list(bench.engine.convert(bench.job(side, seed), report.beat)))  # type: ignore[misc]
            for seed in seeds
        ]
        return seconds, peak() - base


def _piped(report: Report, bench: _Bench, side: int, rounds: int) -> tuple[float, int]:
    """Seconds of the best of ``rounds`` of the library's img2img of as many steps, and the peak beyond the start."""

    def tell(pipe: Any, step: int, timestep: Any, given: dict[str, Any]) -> dict[str, Any]:
        report.beat()
        return given

    given = {
        "prompt": "a red fox",
        "negative_prompt": "",
        "image": Image.fromarray(resized(RAW, side, side)),
        "strength": 1.0,
        "num_inference_steps": bench.trial.steps,
        "guidance_scale": CFG_SCALE,
        "callback_on_step_end": tell,
    }
    before, base = torch.get_num_threads(), _resident()
    torch.set_num_threads(bench.trial.threads)
    try:
        with peak_memory() as peak:
            seconds = min(_timed(lambda: bench.theirs(**given)) for _ in range(rounds))
            return seconds, peak() - base
    finally:
        torch.set_num_threads(before)


def random_checkpoint(trial: Trial, device: Device) -> Checkpoint:
    """Networks of the real topology with random weights, built where they run."""
    base = trial.base
    torch.manual_seed(1)
    with torch.device(device.name):
        if trial.full:
            unet: Any = UNet2DConditionModel(sample_size=64 if base is Architecture.SD15 else 128, **FULL[base])
            vae: Any = AutoencoderKL(
                block_out_channels=(128, 256, 512, 512),
                down_block_types=("DownEncoderBlock2D",) * 4,
                up_block_types=("UpDecoderBlock2D",) * 4,
                layers_per_block=2,
                latent_channels=4,
                scaling_factor=checkpoints.SCALING[base],
            )
            kinds = ((CLIPTextModel, CLIP_L), (CLIPTextModelWithProjection, CLIP_G))
            encoders = [kind(clip(**sizes)) for kind, sizes in kinds[: 2 if base is Architecture.SDXL else 1]]
        else:
            unet, vae = checkpoints.unet(base), checkpoints.vae(base)
            encoders = [checkpoints.text_encoder(kind, 3) for kind in checkpoints.TEXT_ENCODERS[base].values()]
    own = architecture.Architecture(base.value)
    for network, dtype in ((unet, device.unet), (vae, torch.float32), *((each, device.text) for each in encoders)):
        network.to(device.name, dtype).requires_grad_(False).eval()
    native = blueprint.NATIVE_SIDE[own] if trial.full else checkpoints.NATIVE
    return Checkpoint(own, unet, tuple(encoders), vae, dict(blueprint.SCHEDULER), native)


def clip(**sizes: int) -> Any:
    """The configuration of one of CLIP's text encoders."""
    return CLIPTextConfig(
        vocab_size=49408, projection_dim=1280, hidden_act="gelu", bos_token_id=49406, eos_token_id=49407, **sizes
    )


def _pipeline(checkpoint: Checkpoint, device: Device) -> Any:
    """The library's pipeline as its users run it: with a VAE of its own, of half precision where the UNet is so.

    SDXL's upcasts its VAE itself, and leaves it in another precision than it found it in.
    """
    vae = copy.deepcopy(checkpoint.vae)
    if checkpoint.architecture.value == Architecture.SD15.value:
        vae = vae.to(device.unet)
    theirs = pipeline(replace(checkpoint, vae=vae))
    theirs.set_progress_bar_config(disable=True)
    return theirs


def _timed(work: Callable[[], Any]) -> float:
    """Seconds that ``work`` takes, until the device is done with it."""
    _finish()
    begun = time.perf_counter()
    with torch.inference_mode():
        work()
    _finish()
    return time.perf_counter() - begun


def _finish() -> None:
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    elif torch.backends.mps.is_available():
        torch.mps.synchronize()


def _resident() -> int:
    """Bytes that are taken now, of what :func:`peak_memory` counts."""
    gc.collect()
    if torch.cuda.is_available():
        return int(torch.cuda.memory_allocated())
    give_back()
    return int(psutil.Process().memory_info().rss)


def _mib(count: float) -> str:
    return f"{count / MIB:,.0f} MiB"


def matrix_rate() -> float:
    """What the processor does now, in 10^9 operations a second of matrix products in single precision."""
    one = torch.from_numpy(np.ones((1024, 1024), np.float32))
    best = min(_timed(lambda: one @ one) for _ in range(5))
    return 2 * 1024**3 / best / 1e9
