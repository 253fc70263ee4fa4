"""Does the diffusion engine run on this machine's accelerator, how fast, and in how much memory?

``python -m scripts.gpu_check`` from a checkout, with the extra ``diffusion`` and pytest; no weights are needed, all are
random. First the engine with tiny checkpoints: every precision, offload, two checkpoints under a cache for one, memory
that runs out. Then networks of the full size of SD 1.5 and SDXL, built on the device, beside diffusers' own pipeline in
the same run. On a processor alone the second part is narrow networks, and SD 1.5 of full size for one step at 512.

Ends after about ``--seconds`` and says what it left out; drawing is stopped then, loading and building are not. Writes
the report to ``--out`` as Markdown. Exit code 1 where something failed or a bar is missed.
"""

import argparse
import gc
import json
import platform
import resource
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import diffusers
import numpy as np
import psutil
import torch
import transformers

from benchmarks.report import table
from restyle.engines.base import Machine
from restyle.engines.diffusion.device import Device
from restyle.images.pixels import Pixels
from restyle.models.kinds import Architecture
from restyle.wire.codes import Code
from restyle.wire.errors import RestyleError
from scripts.gpu_report import Report
from scripts.gpu_sizes import MIB, Trial, matrix_rate, measured
from tests.support.studio import Studio, Sub

SECONDS = 480
FULL_GFLOP = 15_000
"""About what SD 1.5 of full size computes at 512 for one step, with its inversions, and diffusers beside it."""
FULL_BYTES = 8 * 1024**3
"""Free memory for SD 1.5 of full size in single precision: 4.0 GiB of weights and a VAE more, and what a picture takes.
"""


def tiny(report: Report, folder: Path, device: str, precisions: tuple[str, ...], expected: dict[str, Pixels]) -> None:
    """The engine with tiny checkpoints on ``device``, in each of ``precisions``, with and without offload.

    ``expected`` are a processor's pictures in float32 by base model; where they are missing, the first ones here.
    """
    report.say(f"\n## Tiny checkpoints, {', '.join(precisions)}\n")
    for precision in precisions:
        for offload in (False,) if device == "cpu" else (False, True):
            what = f"{precision}{', offload' if offload else ''}"
            if report.has(0):
                one_way(report, Studio(folder, device=device, precision=precision, offload=offload), expected, what)
            else:
                report.leave_out(f"tiny checkpoints, {what}")


def bounds(report: Report, folder: Path, device: str) -> None:
    """A cache for one checkpoint, and memory that runs out."""
    report.say("\n## Bounds of memory\n")
    small = Studio(folder, device=device, precision="float32" if device == "cpu" else "float16", cache_bytes=1)
    with report.check("two checkpoints in turn under a cache for one"):
        first = small.draw("sd15 folder", report.beat)
        small.draw("sdxl folder", report.beat)
        assert np.array_equal(small.draw("sd15 folder", report.beat), first)
    with report.check("a picture larger than memory ends as 5102 before it is begun, and the next is drawn"):
        side = huge()
        refused(lambda: small.draw("sd15 folder", report.beat, raw=np.zeros((side, side, 3), np.uint8)))
        assert np.array_equal(small.draw("sd15 folder", report.beat), first)
    if device.startswith("cuda") or sys.platform == "linux":
        with report.check("memory that runs out while it draws ends as 5102, and the next picture is drawn"):
            with little_left(device):
                raw = np.zeros((512, 512, 3), np.uint8)
                refused(lambda: small.draw("sd15 folder", report.beat, raw=raw, steps=1))
            assert np.array_equal(small.draw("sd15 folder", report.beat), first)
    else:
        report.leave_out("memory that runs out while it draws", "nobody here can take it away")


def one_way(report: Report, studio: Studio, expected: dict[str, Pixels], what: str) -> None:
    """Everything that a checkpoint draws with, in one precision, with or without offload."""
    drawn: dict[str, Pixels] = {}
    for base in ("sd15", "sdxl"):
        with report.check(f"{base}, {what}: draws, and the same again"):
            drawn[base] = studio.draw(f"{base} folder", report.beat)
            again = studio.draw(f"{base} folder", report.beat)
            assert np.array_equal(drawn[base], again), "another picture the second time"
            # random networks are chaotic: how far says something, and no bar can be made of it
            apart = float(np.abs(again.astype(float) - expected.setdefault(base, again)).mean())
            report.say(f"  {apart:.1f} levels from float32 on the processor")
    if drawn.keys() != {"sd15", "sdxl"}:
        report.leave_out(f"{what}: sub-models", "there is nothing to compare with")
        return
    with report.check(f"sd15, {what}: LoRA, embedding and hypernetwork act, and come off"):
        subs = (Sub("sd15 lora"), Sub("sd15 word"), Sub("sd15 hyper", 0.5))
        changed = studio.draw("sd15 folder", report.beat, subs=subs, positive_prompts=("a zorp",))
        assert not np.array_equal(changed, drawn["sd15"]), "they change nothing"
        assert np.array_equal(studio.draw("sd15 folder", report.beat), drawn["sd15"]), "they did not come off"
    with report.check(f"sdxl, {what}: IP-Adapter and ControlNet act"), beside(studio, "sdxl"):
        assert not np.array_equal(studio.draw("sdxl folder", report.beat), drawn["sdxl"])


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


def start(report: Report, folder: Path, device: str) -> None:
    """What a new process takes to its first picture, with a tiny checkpoint: all that is not its weights."""
    report.say("\n## The first picture of a process\n")
    if not report.has(0):
        report.leave_out("the first picture of a process")
        return
    with report.check("a process of its own, SD 1.5, tiny, one step"):
        command = [sys.executable, "-m", "scripts.first_picture", str(folder / "data"), "sd15 folder", device]
        ran = subprocess.run(command, capture_output=True, text=True, check=True, timeout=report.left)
        parts = json.loads(ran.stdout.splitlines()[-1])
        rows = [[part, *(f"{parts[part][each]:.2f} s" for each in ("seconds", "processor"))] for part in parts]
        report.say(table(["part", "time", "processor time"], rows))


def huge() -> int:
    """Side in pixels of a picture that no memory here holds. Its zeros are never touched, so they take none."""
    free = torch.cuda.mem_get_info()[0] if torch.cuda.is_available() else psutil.virtual_memory().available
    return int((2 * free / 120) ** 0.5)  # ten float copies of three channels


def refused(work: Callable[[], object]) -> None:
    """``work`` ends as 5102."""
    code: Code | int | None = None
    try:
        work()
    except RestyleError as error:
        code = error.code
    assert code is Code.OUT_OF_MEMORY, f"it ended as {code}"


@contextmanager
def little_left(device: str) -> Iterator[None]:
    """Inside the block the device's memory is taken, by somebody else as it seems; a processor's may not grow."""
    if device.startswith("cuda"):
        torch.cuda.empty_cache()
        taken = [torch.empty(max(0, torch.cuda.mem_get_info()[0] - 48 * MIB), dtype=torch.uint8, device=device)]
        try:
            yield
        finally:
            taken.clear()
            torch.cuda.empty_cache()
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (psutil.Process().memory_info().vms + 32 * MIB, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))


def trials(report: Report, on_gpu: bool) -> Iterator[Trial]:
    """What is measured, the most telling first; what the machine is too small or too slow for is left out."""
    if on_gpu:
        for precision, sides in (("float16", (512, 1024, 2048, 2560)), ("bfloat16", (512, 1024))):
            for base in Architecture:
                yield Trial(base, precision, sides, 20, torch.get_num_threads(), full=True)
        return
    full = Trial(Architecture.SD15, "float32", (512,), 1, torch.get_num_threads(), full=True, inversion=1)
    free, seconds = psutil.virtual_memory().available, FULL_GFLOP / matrix_rate()
    if free < FULL_BYTES:
        report.leave_out(full.name, f"{free / MIB:,.0f} MiB of memory are free, {FULL_BYTES / MIB:,.0f} are needed")
    elif not report.has(seconds):
        report.leave_out(full.name, f"about {seconds:.0f} s as fast as the processor is now; --seconds gives more time")
    else:
        yield full
    for base in Architecture:
        # one thread: with several each small layer waits for the slowest, which takes long on busy cores
        yield Trial(base, "float32", (64, 128), 4, 1, full=False, inversion=2)
    report.leave_out("SDXL, full size", "13 GiB of weights and minutes a step are for a GPU")


def processor() -> str:
    """The processor's name, as ``lscpu`` shows it."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "a processor")


def main() -> int:
    """Run all checks and write the report."""
    options = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    options.add_argument("--device", default="auto", help="cpu, cuda, cuda:1 or mps; what torch finds if not given")
    options.add_argument("--seconds", type=float, default=SECONDS, help=f"the time there is, {SECONDS} if not given")
    options.add_argument("--out", type=Path, help="Markdown file to write")
    given = options.parse_args()
    warnings.filterwarnings("ignore")
    for library in (diffusers, transformers):
        library.utils.logging.set_verbosity_error()
        library.utils.logging.disable_progress_bar()
    device = Device.of(Machine(device=given.device))
    card = torch.cuda.get_device_name() if device.name.startswith("cuda") else processor()
    # the time of importing counts, too
    report = Report(given.seconds, began=time.monotonic() - (time.time() - psutil.Process().create_time()))
    busy = f"{torch.get_num_threads()} threads, other work of {psutil.getloadavg()[0]:.1f} processes beside it"
    report.say(f"# Diffusion on {card} ({device.name}), torch {torch.__version__}\n")
    report.say(f"{busy}; {matrix_rate():.0f} GFLOP/s of matrix products.\n")
    on_gpu = device.name != "cpu"
    try:
        with tempfile.TemporaryDirectory() as folder:
            reference = Studio(Path(folder))
            expected = {base: reference.draw(f"{base} folder") for base in ("sd15", "sdxl")} if on_gpu else {}
            precisions = ("float32", "float16", "bfloat16") if on_gpu else ("float32",)
            tiny(report, Path(folder), device.name, precisions, expected)
            bounds(report, Path(folder), device.name)
            start(report, Path(folder), device.name)
            for trial in trials(report, on_gpu):
                if not report.has(0):
                    report.leave_out(trial.name)
                    continue
                measured(report, trial, Machine(trial.threads, device.name, trial.precision))
                gc.collect()
                device.clear()
            if not on_gpu:
                tiny(report, Path(folder), device.name, ("float16", "bfloat16"), expected)
                report.leave_out("offload", "a processor's networks have no other place to wait in")
    finally:
        report.close()
        if given.out:
            given.out.write_text("\n".join(report.lines) + "\n", encoding="utf-8")
    return 1 if report.failed or any(not bar.met for bar in report.bars) else 0


if __name__ == "__main__":
    sys.exit(main())
