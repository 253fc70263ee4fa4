"""The run: pairs in, a better network out, until time or steps are over."""

import json
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

import torch
from torch import Tensor
from torch.nn.utils import clip_grad_norm_

from training import data, encoder, export, losses
from training.balance import Balance
from training.checkpoint import Checkpoint, read
from training.feedback import feedback, small_noise
from training.network import Brush, noise_planes
from training.optimiser import Optimiser
from training.recipe import Recipe
from training.sheet import write_sheet

LAST_SHARE = 0.02
"""What is left of the rates at the end."""
OWN_REFERENCE = 8
"""One in so many photographs is its own reference."""
SHOWN = 6
"""Photographs and artworks on the sheet."""


@dataclass(frozen=True, slots=True)
class Pictures:
    """On the device: what is trained on, and squares of what is held back, float32 (N, 3, side, side)."""

    art: list[Tensor]
    photographs: list[Tensor]
    held_art: Tensor
    held_photographs: Tensor


def load_pictures(art: list[Path], photographs: list[Path], recipe: Recipe, device: torch.device) -> Pictures:
    """Read all, hold some back. Artworks, too, may be redrawn: one for seven photographs."""
    (arts, held_arts), (photos, held_photos) = (
        data.divided(data.read(places, side))
        for places, side in ((art, recipe.art_side), (photographs, recipe.photo_side))
    )
    arts, photos = ([picture.to(device) for picture in found] for found in (arts, photos))
    photos += Random(recipe.seed).sample(arts, min(len(arts), len(photos) // 7))
    held = (data.squares(found, recipe.size, device) for found in (held_arts, held_photos))
    return Pictures(arts, photos, *held)


class Run:
    """One run on one device. Deterministic on a CPU: same recipe, same pictures, same steps, same weights."""

    def __init__(
        self, recipe: Recipe, pictures: Pictures, eye: Path, out: Path, *, resume: Path | None, device: torch.device
    ) -> None:
        torch.manual_seed(recipe.seed)
        self._random = Random(recipe.seed)
        self.recipe, self._pictures, self._out, self._device = recipe, pictures, out, device
        self._gpu = device.type == "cuda"
        self._half = self._gpu or recipe.half
        self._slices = losses.Slices(recipe.directions, recipe.places)
        known = _known(resume) if resume else None
        if known is not None and (known.width, known.key) != (recipe.width, recipe.key):
            raise ValueError(
                f"{resume} has --width {known.width} --key {known.key}, not {recipe.width} and {recipe.key}"
            )
        self.scales = known.scales if known else self._measured_scales(eye)
        dtype = torch.bfloat16 if self._half else torch.float32
        self.eye = encoder.read(eye, self.scales).to(device, dtype)
        self.network = Brush(self.eye.channels, recipe.width, recipe.key)
        if known is not None:
            weights = known.weights or known.average
            self.network.load_state_dict({name: value.float() for name, value in weights.items()})
        self.network.noises.requires_grad_(not recipe.still)
        self.network.to(device).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        source = known.average if known else self.network.state_dict()
        self.average = {name: value.detach().to(device, torch.float32).clone() for name, value in source.items()}
        self.optimiser = Optimiser(self.network, recipe.rate, recipe.kernel_rate, fused=self._gpu)
        if known is not None and known.optimiser is not None:
            self.optimiser.load_state_dict(known.optimiser)
        self.balance = Balance(recipe.shares, recipe.balanced, known.balance if known else None)
        self.step, self._elapsed = (known.step, known.elapsed) if known else (0, 0.0)
        self.best = math.inf
        self.log: list[dict[str, Any]] = []
        self._draw: Callable[..., Tensor] = self.network
        self._see: Callable[..., dict[str, Tensor]] = self.eye
        if recipe.compiled:
            self._draw, self._see = torch.compile(self.network), torch.compile(self.eye)

    def go(self, say: Callable[[str], None] = print) -> None:
        """Train, look at the pictures held back now and then, and leave checkpoints, log and sheet in ``out``."""
        self._out.mkdir(parents=True, exist_ok=True)
        begun = checked = time.monotonic()
        first, recipe = self.step, self.recipe
        if first:  # what is gone on from is the best so far, by this run's crops and this recipe's network
            self._look(self._elapsed, say)
        while True:
            now = time.monotonic()
            done = (self.step - first) / recipe.steps if recipe.steps else (now - begun) / recipe.seconds
            if done >= 1:
                break
            if now - checked > recipe.check:
                self._look(self._elapsed + now - begun, say)
                checked = time.monotonic()
            terms, norm = self.advance(self._share(done, self.step - first))
            if (self.step - 1) % recipe.every == 0:
                self._tell(terms, norm, time.monotonic() - begun, say)
        self._look(self._elapsed + time.monotonic() - begun, say)
        pairs = (self.step - first) * recipe.batch / (time.monotonic() - begun)
        memory = f", {torch.cuda.max_memory_allocated() / 2**30:.1f} GiB" if self._gpu else ""
        say(f"{self.step - first} steps, {pairs:.1f} pairs/s{memory}, best {self.best:.4f}")
        best = read(self._out / "best.pt").network().to(self._device)
        held = self._pictures
        write_sheet(
            best, self.eye, held.held_photographs[:SHOWN], held.held_art[:SHOWN], self._out / "sheet.jpg", self._half
        )

    def advance(self, share: float) -> tuple[losses.Terms, Tensor]:
        """One step, at that share of the rates; the terms and the length of the gradient before it was cut."""
        recipe = self.recipe
        # One pair in eight is a photograph that is its own reference; small batches have one now and then.
        every = -(-OWN_REFERENCE // recipe.batch)
        alike = recipe.batch // OWN_REFERENCE or int(self.step % every == 0)
        photographs = data.crops(
            self._pictures.photographs, recipe.batch, recipe.size, recipe.photo_reach, self._random
        )
        art = data.crops(self._pictures.art, recipe.batch - alike, recipe.size, recipe.art_reach, self._random)
        style = torch.cat([art, photographs[recipe.batch - alike :]])
        # Every other of them is drawn at strength 0, as the engine will.
        strength = torch.ones(recipe.batch, 1, 1, 1, device=self._device)
        strength[recipe.batch - alike :: 2] = self.step // every % 2 if alike == 1 else 0.0
        first = small_noise(recipe.batch, recipe.size, self._device)
        noise = noise_planes(recipe.batch, recipe.size, recipe.size, self._device)
        with torch.no_grad():
            seen = self._see(photographs), self._see(style)
        # apart: autocast would keep the weights that it has cast without their gradients
        with torch.autocast(self._device.type, torch.bfloat16, enabled=self._half):
            corrections = feedback(self.network, self.eye, photographs, style, first)
        with torch.autocast(self._device.type, torch.bfloat16, enabled=self._half):
            out = self._draw(*seen, noise, strength, corrections)
        terms = losses.terms(self.eye, out, photographs, style, seen, alike=alike, slices=self._slices)
        self.balance.measure(terms, out, self.step)
        self.network.zero_grad(set_to_none=True)
        torch.autograd.backward(self.balance.total(terms))
        norm = clip_grad_norm_(self.network.parameters(), recipe.clip)
        self.optimiser.step(share)
        kept = min(recipe.memory, (1 + self.step) / (10 + self.step))
        with torch.no_grad():
            torch._foreach_lerp_(list(self.average.values()), list(self.network.state_dict().values()), 1 - kept)
        self.step += 1
        return terms, norm

    def checkpoint(self, elapsed: float = 0.0) -> Checkpoint:
        """Everything, as it stands; ``elapsed`` are the seconds of all runs together."""
        return Checkpoint(
            self.eye.channels,
            self.recipe.width,
            self.recipe.key,
            self.scales,
            self.average,
            self.step,
            elapsed,
            self.best,
            self.balance.weights,
            self.recipe.as_dict(),
            {name: value.detach() for name, value in self.network.state_dict().items()},
            self.optimiser.state_dict(),
        )

    def judged(self) -> dict[str, float]:
        """The averaged weights on the pictures held back, in pairs, with the same noise each time."""
        network = self.checkpoint().network().to(self._device)
        held, size = self._pictures, self.recipe.size
        generator, cpu = torch.Generator().manual_seed(0), torch.device("cpu")
        noise, first = noise_planes(1, size, size, cpu, generator), small_noise(1, size, cpu, generator)
        noise, first = ([plane.to(self._device) for plane in planes] for planes in (noise, first))
        rows = []
        for photograph, art in zip(*(torch.split(x, 1) for x in (held.held_photographs, held.held_art)), strict=True):
            with torch.no_grad(), torch.autocast(self._device.type, torch.bfloat16, enabled=self._half):
                seen = self.eye(photograph), self.eye(art)
                corrections = feedback(network, self.eye, photograph, art, first)
                out = network(*seen, noise, corrections=corrections).clamp(0, 1)
                rows.append(losses.judged(self.eye(out), *seen, out, photograph))
        return {name: sum(row[name] for row in rows) / len(rows) for name in rows[0]}

    def _look(self, elapsed: float, say: Callable[[str], None]) -> None:
        found = self.judged()
        score = losses.score(found)
        row: dict[str, Any] = {
            "step": self.step,
            "score": round(score, 4),
            **{name: round(value, 4) for name, value in found.items()},
        }
        row["weights"] = {name: round(weight, 4) for name, weight in self.balance.weights.items()}
        self._note({"held back": row})
        say(json.dumps({"held back": row}))
        if score < self.best:
            self.best = score
            self.checkpoint(elapsed).small().write(self._out / "best.pt")
        self.checkpoint(elapsed).write(self._out / "state.pt")

    def _tell(self, terms: losses.Terms, norm: Tensor, elapsed: float, say: Callable[[str], None]) -> None:
        row: dict[str, Any] = {"step": self.step, "time": round(elapsed, 2), "norm": float(norm)}
        row |= {name: round(float(term.detach()), 5) for name, term in terms.items()}
        if not all(math.isfinite(value) for value in row.values()):
            raise FloatingPointError(f"not finite: {json.dumps(row)}")
        self._note(row)
        say(json.dumps(row))

    def _note(self, row: dict[str, Any]) -> None:
        self.log.append(row)
        with (self._out / "log.jsonl").open("a") as file:
            file.write(json.dumps(row) + "\n")

    def _measured_scales(self, eye: Path) -> list[float]:
        plain = encoder.read(eye).to(self._device)
        return encoder.mean_activations(plain, torch.cat([self._pictures.held_photographs, self._pictures.held_art]))

    def _share(self, done: float, step: int) -> float:
        """Of the rates: rising until all is warm, falling along the run."""
        falling = LAST_SHARE + (1 - LAST_SHARE) * (0.5 + 0.5 * math.cos(math.pi * done))
        return min(1.0, (step + 1) / self.recipe.warm) * falling


def _known(path: Path) -> Checkpoint:
    """What a run left, or weights as they ship."""
    return export.read(path) if path.suffix == ".safetensors" else read(path)
