"""What a job draws with: its files by their roles, and the words for it. Nothing is loaded for it."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from restyle.engines.base import Description, File, Job, Role
from restyle.engines.diffusion import blueprint, composition, embeddings, prompt, strength
from restyle.engines.diffusion.architecture import Architecture
from restyle.engines.diffusion.detectors import FOUND
from restyle.engines.diffusion.files import architecture_of
from restyle.engines.diffusion.hires import Plan, refine_steps
from restyle.engines.diffusion.samplers import trained
from restyle.engines.diffusion.strength import Strength
from restyle.wire.codes import Code
from restyle.wire.errors import RestyleError

INJECTION = "style injection"
IP_ADAPTER = "IP-Adapter"
OWN_VAE = "main model"


@dataclass(frozen=True, slots=True)
class Recipe:
    """``adapter`` and its ``encoder`` make the style route; without them the style is injected. ``vae`` None is the
    main model's own. ``native`` is the side in pixels it was trained at, ``plan`` holds the sizes to draw, ``moved``
    what the strength moves; ``notices`` are sentences on the prompts.
    """

    job: Job
    main: File
    architecture: Architecture
    loras: tuple[File, ...]
    hypernetworks: tuple[File, ...]
    embeddings: tuple[File, ...]
    adapter: File | None
    encoder: File | None
    control: File | None
    vae: File | None
    positive: str
    negative: str
    native: int
    plan: Plan
    moved: Strength
    notices: tuple[str, ...] = ()

    @classmethod
    def of(cls, job: Job) -> "Recipe":
        """Raises RestyleError: 5101 for a main model of no known architecture, 5000 for files that a plan never gives:
        no main model, an IP-Adapter without its image encoder, or a ControlNet without a map that it needs.
        """
        main = job.needed(Role.MAIN)
        adapter, encoder = job.one_of(Role.IP_ADAPTER), job.one_of(Role.IMAGE_ENCODER)
        if (adapter is None) is not (encoder is None):
            raise RestyleError(Code.INTERNAL_ERROR, "an IP-Adapter and its image encoder come together or not at all")
        loras = job.all_of(Role.LORA)
        positive, negative = prompt.texts(
            job.positive_prompts,
            job.negative_prompts,
            [word for lora in loras if lora.weight != 0 for word in lora.trigger_words],
        )
        positive, told = composition.composed(positive)
        negative, told_against = composition.composed(negative)
        height, width = job.raw.shape[:2]
        native = native_side(main)
        base, control = architecture_of(main), job.one_of(Role.CONTROLNET)
        if control and job.control is None and control_of(control) not in FOUND:
            raise RestyleError(
                Code.INTERNAL_ERROR, f"a ControlNet that is shown {control_of(control)} comes with a map"
            )
        moved = strength.at(
            job.strength,
            base.value,
            strength.IP_ADAPTER if adapter else strength.INJECTION,
            control_of(control) if control else "",
            main.recipe,
        )
        return cls(
            job,
            main,
            base,
            loras,
            job.all_of(Role.HYPERNETWORK),
            job.all_of(Role.EMBEDDING),
            adapter,
            encoder,
            control,
            job.one_of(Role.VAE),
            positive,
            negative,
            native,
            Plan.of(width, height, native),
            moved,
            (*told, *told_against),
        )

    @property
    def cfg_scale(self) -> float:
        """The guidance scale that is drawn with: 1 where both sides of guidance are equal, and one is evaluated."""
        held = min(self.job.inference.cfg_scale, self.moved.cfg_most)
        return 1.0 if self.adapter is None and self.positive == self.negative else held

    @property
    def steps(self) -> int:
        """Steps of the first drawing: as many as were asked for, or those that a few-step model was trained at."""
        return len(trained(self.moved.timesteps, self.moved.denoise)) or self.job.inference.steps

    def description(self) -> Description:
        """The recipe in words, under the names that readers of the Stable Diffusion WebUI's pictures know."""
        inference, moved = self.job.inference, self.moved
        parameters: dict[str, Any] = {
            "Steps": self.steps,
            "Sampler": inference.sampler,
            "CFG scale": f"{min(inference.cfg_scale, moved.cfg_most):g}",
            "Clip skip": inference.clip_skip,
            "Denoising strength": f"{moved.denoise:.3g}",
            "Style route": f"{IP_ADAPTER} {self.adapter.name}" if self.adapter else INJECTION,
            "VAE": self.vae.name if self.vae else OWN_VAE,
        }
        if self.adapter:
            parameters["IP-Adapter scale"] = f"{moved.style:.3g}"
        else:
            parameters["Injection gamma"] = f"{moved.gamma:.3g}"
        if self.control:
            parameters["ControlNet"] = self.control.name
            parameters["ControlNet type"] = control_of(self.control)
            parameters["ControlNet scale"] = f"{moved.control:.3g}"
            parameters["ControlNet end"] = f"{moved.control_end:.3g}"
        for name, files in (("Lora weights", self.loras), ("Hypernetworks", self.hypernetworks)):
            if files:
                parameters[name] = ", ".join(f"{file.name}: {file.weight:g}" for file in files)
        if self.embeddings:
            parameters["TI"] = ", ".join(file.name for file in self.embeddings)
        if self.plan.refinements:
            parameters["Hires from"] = "x".join(str(side) for side in self.plan.sizes[0])
            parameters["Hires steps"] = refine_steps(inference.steps, moved.refine)
            parameters["Hires denoising"] = f"{moved.refine:.3g}"
        notices = (*self.notices, *self._held(), *self._unheard())
        return Description(self.positive, self.negative, parameters, notices, self.native)

    def _held(self) -> Iterator[str]:
        """A sentence for each parameter that the recipe decides against what was asked for."""
        inference = self.job.inference
        if inference.cfg_scale > self.moved.cfg_most and self.positive != self.negative:
            route = f"{IP_ADAPTER} {self.adapter.name}" if self.adapter else INJECTION
            yield (
                f"CFG scale {inference.cfg_scale:g} is held to {self.moved.cfg_most:g}: {route} draws with little "
                "guidance"
            )
        if self.steps != inference.steps:
            yield f"Steps {inference.steps} are {self.steps}: {self.main.name} draws at the timesteps it was trained at"

    def _unheard(self) -> list[str]:
        """A sentence for each embedding whose word stands in no prompt."""
        notices = []
        for file in self.embeddings:
            words = embeddings.words(file)
            if not any(prompt.holds(self.positive + " , " + self.negative, word) for word in words):
                named = " or ".join(f'"{word}"' for word in words)
                notices.append(f"{file.name} is not used: no prompt holds its word {named}")
        return notices


def control_of(file: File) -> str:
    """What a ControlNet is shown."""
    return str(file.facts.get("control", "tile"))


def native_side(file: File) -> int:
    """Side in pixels that a checkpoint was trained at: as its folder says, else its architecture's."""
    said = file.path / "unet" / "config.json"
    if file.format == "folder" and said.is_file():
        config: Mapping[str, Any] = json.loads(said.read_text())
        return blueprint.native_side(config.get("sample_size"), architecture_of(file))
    return blueprint.NATIVE_SIDE[architecture_of(file)]
