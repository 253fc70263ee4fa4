"""Does the diffusion engine run on this machine's accelerator, how fast, and in how much memory?

``python -m scripts.gpu_check`` from a checkout, with the extra ``diffusion`` and pytest; no weights are needed, all are
random. First the engine with tiny checkpoints: every precision, offload, two checkpoints under a cache for one, memory
that runs out. Then networks of the full size of SD 1.5 and SDXL, built on the device, beside diffusers' own pipeline in
the same run. On a processor alone the second part is done with narrow networks, unless ``--full`` asks for the real
widths (one step at 512). Takes at most 8 minutes on a GPU; writes the report to ``--out`` as Markdown. Exit code 1
where something failed or a bar is missed.
"""

import argparse
import gc
import platform
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection

from benchmarks.report import Bar, number, table
from restyle.conversion.trial import peak_memory
from restyle.engines.base import File, Inference, Job, Machine, Role, Style
from restyle.engines.diffusion import architecture, blueprint, injection
from restyle.engines.diffusion.components import Checkpoint
from restyle.engines.diffusion.device import Device
from restyle.engines.diffusion.engine import Diffusion, load
from restyle.engines.diffusion.memory import Needs
from restyle.engines.diffusion.recipe import Recipe
from restyle.images.pixels import Pixels
from restyle.models.kinds import Architecture
from restyle.wire.codes import Code
from restyle.wire.errors import RestyleError
from tests.support import checkpoints
from tests.support.library import pipeline
from tests.support.studio import RAW, STYLE, Studio, Sub

MIB = 1024 * 1024
SECONDS = 480
"""After which no further size is begun."""
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


@dataclass(slots=True)
class Report:
    """What was found so far, printed as it comes."""

    lines: list[str]
    bars: list[Bar]
    failed: int = 0

    def say(self, line: str) -> None:
        print(line, flush=True)
        self.lines.append(line)

    @contextmanager
    def check(self, what: str) -> Iterator[None]:
        """A check that holds if the block ends; it says so."""
        begun = time.monotonic()
        try:
            yield
        except Exception as error:  # noqa: BLE001 - the next check is worth making all the same
            self.failed += 1
            self.say(f"- ✗ {what}: {type(error).__name__}: {' '.join(str(error).split())[:300]}")
        else:
            self.say(f"- ✓ {what} ({time.monotonic() - begun:.1f} s)")


def tiny(report: Report, device: str) -> None:
    """The engine with tiny checkpoints on ``device``."""
    report.say("## The engine with tiny checkpoints\n")
    on_gpu = device != "cpu"
    with tempfile.TemporaryDirectory() as folder:
        plain = Studio(Path(folder))
        subs = (Sub("sd15 lora"), Sub("sd15 word"), Sub("sd15 hyper", 0.5))
        expected = {base: plain.draw(f"{base} folder") for base in ("sd15", "sdxl")}
        for precision in ("float16", "bfloat16") if on_gpu else ("float32", "bfloat16"):
            for offload in (False, True) if on_gpu else (False,):
                studio = Studio(Path(folder), device=device, precision=precision, offload=offload)
                what = f"{precision}{', offload' if offload else ''}"
                for base in ("sd15", "sdxl"):
                    with report.check(f"{base}, {what}: draws, and repeats exactly"):
                        drawn = studio.draw(f"{base} folder")
                        assert np.array_equal(drawn, studio.draw(f"{base} folder")), "another picture the second time"
                        # random networks are chaotic: how far says something, and no bar can be made of it
                        apart = float(np.abs(drawn.astype(float) - expected[base]).mean())
                        report.say(f"  {apart:.1f} levels from float32 on the processor")
                with report.check(f"sd15, {what}: LoRA, embedding and hypernetwork act, and come off"):
                    changed = studio.draw("sd15 folder", subs=subs, positive_prompts=("a zorp",))
                    assert not np.array_equal(changed, studio.draw("sd15 folder"))
                with report.check(f"sdxl, {what}: IP-Adapter and ControlNet"), beside(studio, "sdxl"):
                    assert not np.array_equal(studio.draw("sdxl folder"), expected["sdxl"])
        small = Studio(Path(folder), device=device, precision="float16" if on_gpu else "float32", cache_bytes=1)
        with report.check("two checkpoints in turn under a cache for one"):
            first = small.draw("sd15 folder")
            small.draw("sdxl folder")
            assert np.array_equal(small.draw("sd15 folder"), first)
        if on_gpu:
            with report.check("memory that runs out ends as 5102, and the next picture is drawn"):
                starved(small)
                assert np.array_equal(small.draw("sd15 folder"), first)
    report.say("")


@contextmanager
def beside(studio: Studio, base: str) -> Iterator[None]:
    """An IP-Adapter with its encoder and a ControlNet registered."""
    own = Architecture(base)
    with (
        studio.registered("encoder"),
        studio.registered(f"{base}-ip.safetensors", architecture=own),
        studio.registered(f"{base}-control", control="tile", architecture=own),
    ):
        yield


def starved(studio: Studio) -> None:
    """Draw with the device's memory taken, by somebody else as it seems."""
    torch.cuda.empty_cache()
    free = torch.cuda.mem_get_info()[0]
    taken = torch.empty(max(0, free - 48 * MIB), dtype=torch.uint8, device="cuda")
    code: Code | int | None = None
    try:
        studio.draw("sd15 folder", raw=np.zeros((1024, 1024, 3), np.uint8))
    except RestyleError as error:
        code = error.code
    finally:
        del taken
        torch.cuda.empty_cache()
    assert code is Code.OUT_OF_MEMORY, f"it ended as {code}"


def random_checkpoint(base: Architecture, device: Device, *, full: bool) -> Checkpoint:
    """Networks of the real topology with random weights, built where they run; of the real widths if ``full``."""
    torch.manual_seed(1)
    with torch.device(device.name):
        if full:
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
    native = blueprint.NATIVE_SIDE[architecture.Architecture(base.value)] if full else checkpoints.NATIVE
    for network, dtype in ((unet, device.unet), (vae, torch.float32), *((each, device.text) for each in encoders)):
        network.to(device.name, dtype).requires_grad_(False).eval()
    return Checkpoint(
        architecture.Architecture(base.value), unet, tuple(encoders), vae, dict(blueprint.SCHEDULER), native
    )


def clip(**sizes: int) -> Any:
    return CLIPTextConfig(
        vocab_size=49408, projection_dim=1280, hidden_act="gelu", bos_token_id=49406, eos_token_id=49407, **sizes
    )


def measured(
    report: Report, base: Architecture, machine: Machine, sizes: list[int], steps: int, until: float, *, full: bool
) -> None:
    """Seconds and peak memory at ``sizes``, and those of the library's pipeline at native size."""
    engine = load(machine)
    device = Device.of(machine)
    begun = time.monotonic()
    checkpoint = random_checkpoint(base, device, full=full)
    weights = checkpoint.size()
    label = f"{'full size' if full else 'narrow'}, {str(device.unet).removeprefix('torch.')}"
    report.say(f"## {base}: {label}, {steps} steps\n")
    report.say(f"Built in {time.monotonic() - begun:.1f} s; weights {weights / MIB:,.0f} MiB.\n")
    main = File(Role.MAIN, Path("random"), f"random {base}", f"random {base}", "safetensors", base.value)
    engine.hold(main, checkpoint)
    rows: list[list[str]] = []
    for side in sizes:
        if time.monotonic() > until:
            rows.append([f"{side} x {side}", "not begun: out of time", "", "", ""])
            continue
        rows.append(drawn(report, engine, main, checkpoint, side, steps, weights))
    report.say(table(["size", "first picture", "another seed", "peak", "calculated"], rows))
    if time.monotonic() < until:
        compared(report, engine, main, checkpoint, min(sizes, key=lambda side: abs(side - checkpoint.native)), steps)
    report.say("")


def job_of(main: File, side: int, seed: int, steps: int, **changes: Any) -> Job:
    raw, style = (np.asarray(resized(each, side)) for each in (RAW, STYLE))
    values: dict[str, Any] = {"strength": 1.0, "positive_prompts": ("a red fox",), **changes}
    return Job(raw, (Style(style),), seeds=(seed,), inference=Inference(steps, "DDIM", 1, 2.0), files=(main,), **values)


def resized(picture: Pixels, side: int) -> Pixels:
    from restyle.images.resize import resized as scaled

    return scaled(picture, side, side)


def drawn(
    report: Report, engine: Diffusion, main: File, checkpoint: Checkpoint, side: int, steps: int, weights: int
) -> list[str]:
    cells: list[str] = []
    with report.check(f"{main.name} at {side} x {side}"):
        with peak_memory() as peak:
            base = resident()
            for seed in (1, 2):
                seconds, _ = timed(lambda seed=seed: list(engine.convert(job_of(main, side, seed, steps), quiet)))  # type: ignore[misc]
                cells.append(f"{seconds:.2f} s")
            most = peak() - base
        recipe = Recipe.of(job_of(main, side, 1, steps))
        on_cpu = engine.place == "cpu"
        word = next(checkpoint.unet.parameters()).element_size()
        moved = recipe.moved
        kept = injection.kept_bytes(checkpoint.unet, moved.blocks, word, moved.inversion_steps) if on_cpu else 0.0
        needs = Needs.of(checkpoint.unet, checkpoint.vae, word, 2, checkpoint.native, kept).bytes(side, side)
        cells += [f"{most / MIB:,.0f} MiB", f"{needs / MIB:,.0f} MiB"]
        if not on_cpu:
            report.bars.append(
                Bar(f"{main.name} at {side}: peak beyond the weights, of the calculation", most / needs, 1.1)
            )
    return [f"{side} x {side}", *cells, *[""] * (4 - len(cells))]


def compared(report: Report, engine: Diffusion, main: File, checkpoint: Checkpoint, side: int, steps: int) -> None:
    """The engine with both pictures' ways to noise known, beside the library's img2img of as many steps."""
    from PIL import Image

    theirs = pipeline(checkpoint)
    theirs.set_progress_bar_config(disable=True)
    if checkpoint.architecture.value == Architecture.SD15.value and engine.place != "cpu":
        theirs.vae = theirs.vae.to(next(checkpoint.unet.parameters()).dtype)
    image = Image.fromarray(resized(RAW, side))
    with report.check(f"{main.name} at {side}: no slower than diffusers' pipeline at equal steps"):
        ours_best = theirs_best = float("inf")
        for seed in (3, 4):
            ours, _ = timed(lambda seed=seed: list(engine.convert(job_of(main, side, seed, steps), quiet)))  # type: ignore[misc]
            given = {"prompt": "a red fox", "negative_prompt": "", "image": image, "strength": 1.0}
            other, _ = timed(
                lambda given=given: theirs(**given, num_inference_steps=steps, guidance_scale=2.0)  # type: ignore[misc]
            )
            ours_best, theirs_best = min(ours, ours_best), min(other, theirs_best)
        report.say(f"  ours {ours_best:.2f} s, diffusers {theirs_best:.2f} s, ratio {number(ours_best / theirs_best)}")
        report.bars.append(Bar(f"{main.name} at {side}: seconds, of diffusers'", ours_best / theirs_best, 1.05))


def quiet(fraction: float) -> None:
    """A report that nobody reads."""


def timed(work: Callable[[], Any]) -> tuple[float, Any]:
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    begun = time.perf_counter()
    with torch.inference_mode():
        found = work()
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.perf_counter() - begun, found


def resident() -> int:
    """What is taken now, of what :func:`peak_memory` counts."""
    gc.collect()
    if torch.cuda.is_available():
        return int(torch.cuda.memory_allocated())
    import psutil

    return int(psutil.Process().memory_info().rss)


def main() -> int:
    """Run all checks and write the report."""
    options = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    options.add_argument("--device", default="auto", help="cpu, cuda, cuda:1 or mps; what torch finds if not given")
    options.add_argument("--full", action="store_true", help="the real widths on a processor, too: one step at 512")
    options.add_argument("--out", type=Path, help="Markdown file to write")
    given = options.parse_args()
    warnings.filterwarnings("ignore")
    began = time.monotonic()
    device = Device.of(Machine(device=given.device))
    on_gpu = device.name != "cpu"
    card = torch.cuda.get_device_name() if device.name.startswith("cuda") else platform.processor() or device.name
    report = Report([], [])
    report.say(f"# Diffusion on {card}: torch {torch.__version__}\n")
    tiny(report, device.name)
    full = on_gpu or given.full
    precisions = ("float16", "bfloat16") if on_gpu else ("float32",)
    sizes = [512, 1024, 2048, 2560] if on_gpu else [512] if given.full else [64, 128]
    for base in Architecture if on_gpu or not given.full else (Architecture.SD15,):
        for precision in precisions:
            machine = Machine(threads=torch.get_num_threads(), device=device.name, precision=precision)
            these = sizes if precision == precisions[0] else sizes[:2]
            steps = 20 if on_gpu else 1 if given.full else 4
            measured(report, base, machine, these, steps, began + SECONDS, full=full)
            gc.collect()
            if device.name.startswith("cuda"):
                torch.cuda.empty_cache()
    report.say("## Bars\n")
    report.say(table(["what", "measured", "demand", ""], [bar.row() for bar in report.bars]) if report.bars else "none")
    report.say(f"\n{time.monotonic() - began:.0f} s in all; {report.failed} checks failed.")
    if given.out:
        given.out.write_text("\n".join(report.lines) + "\n", encoding="utf-8")
    missed = [bar for bar in report.bars if not bar.met] if on_gpu else []
    return 1 if report.failed or missed else 0


if __name__ == "__main__":
    sys.exit(main())
