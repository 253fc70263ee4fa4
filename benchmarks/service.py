"""What the service adds to the engine: over HTTP, with signed requests, against a server in its own process."""

import base64
import hashlib
import io
import json
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from time import process_time

import numpy as np
from PIL import Image

from benchmarks import memory
from benchmarks.report import Bar, Section, number, table
from benchmarks.server import Caller, Served, serving
from benchmarks.speed import convert, noise
from benchmarks.timing import Times, seconds, take_turns
from restyle.engines.base import Engine
from restyle.images.pixels import Pixels

TASKS, TASK_SIZE, ROUNDS = 50, 512, 3
BODY_BYTES, SUBMISSIONS = 20_000_000, 10
POLLS, POLL_PAUSE, QUEUED = 500, 0.005, 8
MEMORY_BARS = {1024: 700, 2560: 2500}
"""Side of a task and the most MB its worker may ever have."""
SERVER_MB = 300
FRONT_MB = 450
"""Of the server and its checkers together."""


def run(engine: Engine, log: Callable[[str], None]) -> Section:
    """Measure throughput, submission, latency under load, and memory of server and workers."""
    section = Section("The service")
    with tempfile.TemporaryDirectory() as temporary:
        with serving(Path(temporary) / "first") as served:
            caller = Caller(served)
            for part in (_throughput(served, caller, engine), _submission(caller), _latency(served, caller)):
                section.bars.append(part[0])
                section.text.append(part[1])
                log(part[1].strip())
            caller.close()
            server = memory.peak(served.pid) / memory.MB
            checkers = [memory.peak(pid) / memory.MB for pid in served.checkers()]
        section.bars.append(Bar("server process, peak", server, SERVER_MB, unit=" MB"))
        front = server + sum(checkers)
        section.bars.append(Bar("server and checkers together, peaks added", front, FRONT_MB, unit=" MB"))
        with serving(Path(temporary) / "second") as served:
            worker = _workers(served)
    rows = [["server, after all of the above", f"{server:.0f} MB"]]
    rows += [["checker of pictures, likewise", f"{used:.0f} MB"] for used in checkers]
    for size, used in worker.items():
        rows.append([f"worker, after a task of {size}", f"{used:.0f} MB"])
        section.bars.append(Bar(f"worker at {size}, peak", used, MEMORY_BARS[size], unit=" MB"))
    section.text.append(table(["process", "peak memory"], rows))
    log("; ".join(" ".join(row) for row in rows))
    return section


def _throughput(served: Served, caller: Caller, engine: Engine) -> tuple[Bar, str]:
    raw, style = noise(TASK_SIZE), noise(TASK_SIZE, seed=1)
    images = _png(raw), _png(style)
    draw = convert(engine, raw, style)
    seed = iter(range(1, 10**6))

    def bare() -> None:
        for _ in range(TASKS):
            draw()

    def served_tasks() -> None:
        uids = [caller.post(caller.redraw(*images, TASK_SIZE, next(seed)))["TaskUID"] for _ in range(TASKS)]
        caller.wait(uids)

    draw()
    caller.wait([caller.post(caller.redraw(*images, TASK_SIZE, next(seed)))["TaskUID"] for _ in served.workers()])
    found: dict[str, list[float]] = {"bare": [], "served": []}
    used = np.zeros(4)
    for _ in range(ROUNDS):
        before = process_time()
        found["bare"].append(seconds(bare))
        middle = process_time(), *served.cpu_seconds()
        found["served"].append(seconds(served_tasks))
        used += (middle[0] - before, *np.subtract((process_time(), *served.cpu_seconds()), middle))
    costs = [number(value / ROUNDS / TASKS * 1000) for value in used]
    alone, through = Times(tuple(found["bare"])), Times(tuple(found["served"]))
    bar = Bar(
        f"{TASKS} tasks of {TASK_SIZE} through signed HTTP / bare engine", through.best / alone.best, 1.2, unit="x"
    )
    return bar, (
        f"{TASKS} tasks of {TASK_SIZE} with download: {through} through the service, {alone} in the bare engine, "
        f"{number(bar.value)} times as long. Processor time of one task: bare {costs[0]} ms; through the service "
        f"{costs[3]} ms in the worker, {costs[2]} ms in the server, {costs[1]} ms in the client.\n"
    )


def _submission(caller: Caller) -> tuple[Bar, str]:
    side = int((BODY_BYTES * 3 / 4 / 3) ** 0.5)
    pixels = np.random.default_rng(0).integers(0, 256, (side, side, 3), np.uint8)
    big, small = _png(pixels), _png(noise(64))
    seed = iter(range(1, 10**6))
    bodies = iter([caller.redraw(big, small, 64, next(seed)) for _ in range(SUBMISSIONS + 1)])
    sample = caller.redraw(big, small, 64, 0)
    uids: list[str] = []

    def floor() -> None:
        if uids:  # the machine is still while either side is measured
            caller.wait(uids[-1:])
        start = time.perf_counter()
        image = json.loads(sample)["ImageList"][0]
        base64.b64decode(image)
        hashlib.sha1(sample).digest()
        floors.append(time.perf_counter() - start)

    floors: list[float] = []
    times = take_turns(
        {"floor": floor, "submit": lambda: uids.append(caller.post(next(bodies))["TaskUID"])}, SUBMISSIONS
    )
    caller.wait(uids[-1:])
    least, submit = Times(tuple(floors)), times["submit"]
    bar = Bar("submission of a 20 MB body / json.loads + Base64 + SHA-1", submit.best / least.best, 3, unit="x")
    return bar, (
        f"Submission of a body of {len(sample) / 1e6:.1f} MB: {submit}; json.loads + Base64 decode + SHA-1 of the same "
        f"bytes: {least}; {number(bar.value)} times as long.\n"
    )


def _latency(served: Served, caller: Caller) -> tuple[Bar, str]:
    images = _png(noise(TASK_SIZE)), _png(noise(TASK_SIZE, seed=1))
    feeder = Caller(served)
    first = feeder.post(feeder.redraw(*images, TASK_SIZE, 0))["TaskUID"]
    stop = threading.Event()
    failed: list[Exception] = []

    def feed() -> None:
        seed = 0
        try:
            while not stop.is_set():
                if len(feeder.call("ListRunningTasks")["TaskUIDList"]) < QUEUED:
                    seed += 1
                    feeder.post(feeder.redraw(*images, TASK_SIZE, seed))
                else:
                    time.sleep(0.02)
            feeder.wait(feeder.call("ListRunningTasks")["TaskUIDList"])
        except Exception as error:  # noqa: BLE001  carried to the main thread, which raises it
            failed.append(error)

    thread = threading.Thread(target=feed)
    thread.start()
    waits = []
    try:
        for _ in range(POLLS):
            waits.append(seconds(lambda: caller.details([first])))
            time.sleep(POLL_PAUSE)
    finally:
        stop.set()
        thread.join()
        feeder.close()
    if failed:
        raise failed[0]
    middle, late = (float(np.percentile(waits, share)) * 1000 for share in (50, 99))
    bar = Bar("ListTasksDetails under full load, p99", late, 100, unit=" ms")
    return bar, (
        f"ListTasksDetails, {POLLS} calls while all workers draw and tasks keep coming: median {number(middle)} ms, "
        f"p99 {number(late)} ms, longest {number(max(waits) * 1000)} ms.\n"
    )


def _workers(served: Served) -> dict[int, float]:
    """Side -> MB of the largest worker after a task of that size, in rising order."""
    found = {}
    caller = Caller(served)
    style = _png(noise(512, seed=1))
    for size in sorted(MEMORY_BARS):
        raw = _png(noise(size))
        caller.wait([caller.post(caller.redraw(raw, style, size, seed))["TaskUID"] for seed in (1, 2)])
        found[size] = max(memory.peak(pid) for pid in served.workers()) / memory.MB
    caller.close()
    return found


def _png(pixels: Pixels) -> str:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG", compress_level=1)
    return base64.b64encode(file.getvalue()).decode()
