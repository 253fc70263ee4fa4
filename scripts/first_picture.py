"""What the first picture of a process takes: ``python -m scripts.first_picture DATA_DIR MODELCODE [DEVICE]``.

Prints, as JSON, seconds and the process's processor seconds of each part: ``import`` of the diffusion engine with its
libraries, ``load`` of the model, ``move`` of its weights to a device that is not the processor (again, on its own: it
is a part of ``load``), the ``first`` picture with it and the ``second``, which loads nothing. Pictures have one step,
and so have their inversions: what is left is what a first one takes beyond its work.
"""

import json
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any


def main(data_dir: str, code: str, device: str = "auto") -> None:
    """Measure, and print."""
    found: dict[str, dict[str, float]] = {}

    def measure(part: str, work: Callable[[], Any]) -> Any:
        wall, processor = time.perf_counter(), time.process_time()
        result = work()
        found[part] = {"seconds": time.perf_counter() - wall, "processor": time.process_time() - processor}
        return result

    engine_of = measure("import", _imported)
    from benchmarks.diffusion import file_of
    from restyle.conversion.trial_pictures import still_life, strokes
    from restyle.engines.base import Inference, Job, Machine, Style
    from restyle.models.catalogue import Catalogue

    engine = engine_of(Machine(device=device))
    file = replace(file_of(Catalogue.read(Path(data_dir)).get(code)), recipe={"injection": {"inversion_steps": 1}})
    checkpoint = measure("load", lambda: engine.checkpoint(file))
    if engine.place != "cpu":
        for network in checkpoint.networks():
            network.to("cpu")
        measure("move", lambda: [_moved(network, engine.place) for network in checkpoint.networks()])
    side = checkpoint.native
    for part, seed in (("first", 1), ("second", 2)):
        job = Job(still_life(side), (Style(strokes(side)),), 1.0, (seed,), inference=Inference(steps=1), files=(file,))
        measure(part, lambda job=job: list(engine.convert(job, lambda fraction: None)))  # type: ignore[misc]
    print(json.dumps(found))


def _imported() -> Any:
    from restyle.engines.diffusion.engine import load

    return load


def _moved(network: Any, device: str) -> None:
    """Have it on ``device``, all of it."""
    import torch

    network.to(device)
    if device.startswith("cuda"):
        torch.cuda.synchronize()


if __name__ == "__main__":
    main(*sys.argv[1:])
