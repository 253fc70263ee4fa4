"""What a job draws with: registered files chosen for it, and the sentences that say so. Nothing is loaded for it."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from restyle.engines.base import Adapter, Description, Feature, Job
from restyle.engines.diffusion import embeddings, prompt
from restyle.engines.diffusion.blueprint import NATIVE_SIDE
from restyle.engines.diffusion.hires import Plan, refine_steps
from restyle.engines.diffusion.samplers import SAMPLERS
from restyle.engines.diffusion.strength import Strength, at
from restyle.models.catalogue import Architecture, Catalogue, Entry, Kind
from restyle.wire.codes import Code
from restyle.wire.errors import RestyleError

INJECTION = "style injection"
IP_ADAPTER = "IP-Adapter"
OWN_VAE = "main model"


@dataclass(frozen=True, slots=True)
class Recipe:
    """``adapter`` and its ``encoder`` make the style route; without them the style is injected. ``vae`` None is the
    main model's own. ``native`` is the side in pixels it was trained at, ``plan`` holds the sizes to draw, ``moved``
    what the strength moves.
    """

    job: Job
    main: Entry
    architecture: Architecture
    loras: tuple[tuple[Entry, float], ...]
    hypernetworks: tuple[tuple[Entry, float], ...]
    embeddings: tuple[Entry, ...]
    adapter: Entry | None
    encoder: Entry | None
    control: Entry | None
    vae: Entry | None
    positive: str
    negative: str
    native: int
    plan: Plan
    moved: Strength
    notices: tuple[str, ...]

    @classmethod
    def of(cls, job: Job, catalogue: Catalogue) -> "Recipe":
        """Raises RestyleError: 4004 for codes that are not registered, 230 for a sampler or a VAE that there is not."""
        main = catalogue.main(job.model)
        assert main.architecture is not None
        architecture = main.architecture
        chosen: dict[Feature, list[tuple[Entry, float]]] = {}
        for sub in job.adapters:
            chosen.setdefault(sub.kind, []).append((_sub(sub, catalogue, architecture), sub.weight))
        loras = tuple(chosen.get(Feature.LORA, ()))
        words = tuple(entry for entry, _ in chosen.get(Feature.EMBEDDING, ()))
        positive, negative = prompt.texts(
            job.positive_prompts,
            job.negative_prompts,
            [word for entry, weight in loras if weight != 0 for word in entry.trigger_words],
        )
        notices: list[str] = []
        for entry in words:
            if not any(prompt.holds(positive + " , " + negative, word) for word in embeddings.words(entry)):
                named = " or ".join(f'"{word}"' for word in embeddings.words(entry))
                notices.append(f"{entry.name} is not used: no prompt holds its word {named}")
        adapter = catalogue.default(Kind.IP_ADAPTER, architecture)
        encoder = catalogue.image_encoder(adapter) if adapter else None
        if adapter and not encoder:
            notices.append(f"{adapter.name} is not used: no image encoder that it reads is registered")
            adapter = None
        notices.append(
            f"Style route: {IP_ADAPTER} {adapter.name}"
            if adapter
            else f"Style route: {INJECTION}, from the model alone"
        )
        vae, told = _vae(job, main, architecture, catalogue)
        notices += told
        if job.inference.cfg_scale == 1 and negative:
            notices.append("NegativePrompts have no part at CFGScale 1")
        sampler = SAMPLERS.get(job.inference.sampler)
        if sampler is None:
            raise RestyleError(
                Code.PARAMETER_NOT_AVAILABLE,
                f'there is no sampler "{job.inference.sampler[:48]}"; there are {", ".join(SAMPLERS)}',
                field="MainModel.InferenceParams.Sampler",
            )
        if note := sampler.note:
            notices.append(f"Sampler {job.inference.sampler}: {note}")
        height, width = job.raw.shape[:2]
        native = native_side(main)
        return cls(
            job,
            main,
            architecture,
            loras,
            tuple(chosen.get(Feature.HYPERNETWORK, ())),
            words,
            adapter,
            encoder,
            catalogue.default(Kind.CONTROLNET, architecture),
            vae,
            positive,
            negative,
            native,
            Plan.of(width, height, native),
            at(job.strength),
            tuple(notices),
        )

    def description(self) -> Description:
        """The recipe in words, under the names that readers of the Stable Diffusion WebUI's pictures know."""
        inference, moved = self.job.inference, self.moved
        parameters: dict[str, Any] = {
            "Steps": inference.steps,
            "Sampler": inference.sampler,
            "CFG scale": f"{inference.cfg_scale:g}",
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
            parameters["ControlNet scale"] = f"{moved.control:.3g}"
        for name, pairs in (("Lora weights", self.loras), ("Hypernetworks", self.hypernetworks)):
            if pairs:
                parameters[name] = ", ".join(f"{entry.code}: {weight:g}" for entry, weight in pairs)
        if self.embeddings:
            parameters["TI"] = ", ".join(entry.code for entry in self.embeddings)
        if self.plan.refinements:
            parameters["Hires from"] = "x".join(str(side) for side in self.plan.sizes[0])
            parameters["Hires steps"] = refine_steps(inference.steps, moved.refine)
            parameters["Hires denoising"] = f"{moved.refine:.3g}"
        return Description(self.positive, self.negative, parameters, self.notices)


def native_side(entry: Entry) -> int:
    """Side in pixels that a checkpoint was trained at: as its folder says, else its architecture's."""
    assert entry.architecture is not None
    file = entry.path / "unet" / "config.json"
    if entry.format == "folder" and file.is_file():
        config: Mapping[str, Any] = json.loads(file.read_text())
        if isinstance(config.get("sample_size"), int):
            return int(config["sample_size"]) * 8
    return NATIVE_SIDE[entry.architecture]


def _sub(sub: Adapter, catalogue: Catalogue, architecture: Architecture) -> Entry:
    kinds = {Feature.LORA: Kind.LORA, Feature.EMBEDDING: Kind.EMBEDDING, Feature.HYPERNETWORK: Kind.HYPERNETWORK}
    entry = catalogue.get(sub.code)
    if entry.kind is not kinds[sub.kind] or entry.architecture is not architecture:
        made_for = entry.architecture.label if entry.architecture else "no base model"
        raise RestyleError(
            Code.SUB_MODEL_UNFIT,
            f"{sub.code} is of kind {entry.kind} for {made_for}; the main model takes a {sub.kind} for "
            f"{architecture.label}",
            field="SubModelList",
        )
    return entry


def _vae(
    job: Job, main: Entry, architecture: Architecture, catalogue: Catalogue
) -> tuple[Entry | None, tuple[str, ...]]:
    """The VAE that UseMainModelVAE asks for, else the one there is, with a sentence that says so."""
    default = catalogue.default(Kind.VAE, architecture)
    own = bool(main.facts.get("has_vae", True))
    if not own and default is None:
        raise RestyleError(
            Code.PARAMETER_NOT_AVAILABLE,
            f"{main.code} brings no VAE, and none is registered for {architecture.label}; register one",
            field="MainModel.ModelCode",
        )
    if job.main_model_vae:
        if own:
            return None, ()
        assert default is not None
        return default, (f"UseMainModelVAE: {main.name} brings no VAE; {default.name} is used",)
    if default is None:
        return None, (f"No VAE is registered for {architecture.label}; the one of {main.name} is used",)
    return default, ()
