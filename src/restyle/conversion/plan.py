"""From what is asked to what is done. Every choice is made here, once: model, files, size, seeds, cost, notices.

A :class:`Plan` is plain data. It names model files by role and SHA-256, so the same plan runs on any machine that has
the files; it is stored whole with its task (:mod:`restyle.conversion.stored`) and drawn by
:mod:`restyle.conversion.draw`.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from restyle.conversion.companions import Control, companions
from restyle.conversion.models import CHECKPOINT_DEFAULTS, WEIGHTED, MainModel, SubModel
from restyle.conversion.registry import Registry
from restyle.conversion.request import Conversion, ModelChoice
from restyle.conversion.seeds import batch_seeds
from restyle.conversion.size import result_size, shrunk
from restyle.conversion.tags import Tagged, tagged
from restyle.engines.base import Feature, Inference, Role
from restyle.models.catalogue import Entry
from restyle.wire.fields import FieldPath, Named, path, shown, unavailable
from restyle.wire.names import PARAMETERS
from restyle.wire.ranges import STEPS

USES = {"steps": Feature.STEPS, "sampler": Feature.TEXT, "clip_skip": Feature.TEXT, "cfg_scale": Feature.TEXT}
"""Which feature of an engine makes a parameter of a main model mean something."""
SUB_ROLES = {
    Feature.LORA: Role.LORA,
    Feature.EMBEDDING: Role.EMBEDDING,
    Feature.HYPERNETWORK: Role.HYPERNETWORK,
}


@dataclass(frozen=True, slots=True)
class Pictures:
    """What stands for the pictures in a plan: ``raw`` and ``style`` name them (storage keys, for a service), and
    ``raw_size`` is (width, height) of the raw image in pixels, for a conversion that does not say its own size.
    ``control`` names a map of the raw image for a ControlNet, ``mask`` a picture that is white where to redraw.
    """

    raw: str
    style: str
    raw_size: tuple[int, int] | None = None
    control: str | None = None
    mask: str | None = None


@dataclass(frozen=True, slots=True)
class PlannedFile:
    """A model file, by what it does and what it holds; where it lies is each machine's own affair.

    ``name`` is what messages and metadata call it, ``weight`` a sub-model's, -1..2; ``recipe`` is a main model's own.
    """

    role: Role
    sha256: str
    name: str
    format: str = ""
    architecture: str = ""
    facts: Mapping[str, Any] = field(default_factory=dict)
    trigger_words: tuple[str, ...] = ()
    weight: float = 1.0
    recipe: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class PlannedStyle:
    """A style reference: the name of its picture, its share among several, and the name of its mask, if it has one."""

    picture: str
    weight: float = 1.0
    mask: str | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything that decides the pixels, but the pixels.

    ``model`` is the ModelCode, ``family`` the name of the engine; ``width`` and ``height`` are the result's, in pixels;
    ``strength`` is 0..1; ``seeds`` holds one per image; ``cost`` is in credits, of the whole batch. ``notices`` are
    sentences for the client: what the conversion asks for and the model does not use, and choices it left open.
    ``keep_alpha`` gives the result the raw image's opacity. ``control`` and ``mask`` name pictures, as ``raw`` does: a
    map of the raw image for the ControlNet, and what is white where to redraw.
    """

    model: str
    family: str
    raw: str
    styles: tuple[PlannedStyle, ...]
    width: int
    height: int
    strength: float
    resize_mode: str
    preserve_color: bool
    positive_prompts: tuple[str, ...]
    negative_prompts: tuple[str, ...]
    translate_prompts: bool
    inference: Inference
    files: tuple[PlannedFile, ...]
    seeds: tuple[int, ...]
    cost: int
    notices: tuple[str, ...]
    keep_alpha: bool = False
    control: str | None = None
    mask: str | None = None


def plan(conversion: Conversion, registry: Registry, pictures: Pictures, *, named: Named = path) -> Plan:
    """What ``conversion`` of ``pictures`` comes to; ``named`` is what the door that asks calls a field.

    Raises RestyleError: 4004 and 4005 for models, 230 for a sampler the engine does not know, for a checkpoint without
    a VAE, for a control that no ControlNet is there for, and for a size that follows the raw image out of range; 220
    for a control whose map is missing.
    """
    model = registry.main(conversion.model.code, field=named(("model", "code")))
    inference = _inference(model, conversion, named)
    positive, negative = _prompts(conversion, model, registry)
    files, notices = _files(conversion, model, registry, positive, pictures, named)
    width, height = _size(conversion, pictures, named)
    seeds = batch_seeds(conversion.seed, conversion.batch_size)
    return Plan(
        model=model.code,
        family=model.family.name,
        raw=pictures.raw,
        styles=(PlannedStyle(pictures.style),),
        width=width,
        height=height,
        strength=conversion.strength,
        resize_mode=conversion.resize_mode,
        preserve_color=conversion.preserve_color,
        positive_prompts=positive.prompts,
        negative_prompts=negative.prompts or _own_negative(model),
        translate_prompts=conversion.translate_prompts,
        inference=inference,
        files=files,
        seeds=seeds,
        cost=model.points(width, height, conversion.batch_size, inference.steps),
        notices=(
            *shrunk(pictures.raw_size or (width, height), conversion.width, conversion.height, (width, height)),
            *_unused(conversion, model, pictures, named),
            *notices,
            *positive.notices,
            *negative.notices,
            *_remarks(conversion, model, inference, named),
        ),
        keep_alpha=conversion.keep_alpha,
        control=pictures.control if any(file.role is Role.CONTROLNET for file in files) else None,
        mask=pictures.mask,
    )


def _size(conversion: Conversion, pictures: Pictures, named: Named) -> tuple[int, int]:
    if conversion.width is not None and conversion.height is not None:
        return conversion.width, conversion.height
    assert pictures.raw_size is not None, "a conversion without a size follows the raw image"
    return result_size(pictures.raw_size, conversion.width, conversion.height, named=named)


def _inference(model: MainModel, conversion: Conversion, named: Named) -> Inference:
    """What the conversion gives, else the model's own default, else the table's."""
    given = conversion.model.parameters

    def value(name: str) -> Any:
        own, wire = getattr(given, name), PARAMETERS[name]
        if name == "steps" and own is not None:
            check_steps(own, model.entry.recipe if model.entry else {}, named(("model", "parameters", name)))
        return model.defaults.get(wire, CHECKPOINT_DEFAULTS[wire]) if own is None else own

    sampler, known = value("sampler"), model.family.samplers
    if known:
        asked, sampler = sampler, model.family.sampler(sampler)
        if sampler is None:
            raise unavailable(
                named(("model", "parameters", "sampler")),
                f"it is {shown(asked)}; {model.family.other_samplers(asked)}",
            )
    return Inference(value("steps"), sampler, value("clip_skip"), float(value("cfg_scale")))


def _prompts(conversion: Conversion, model: MainModel, registry: Registry) -> tuple[Tagged, Tagged]:
    """Positive and negative prompts without the tags that name sub-models, for an engine that reads prompts."""
    if Feature.TEXT not in model.family.honours:
        return Tagged(tuple(conversion.positive_prompts)), Tagged(tuple(conversion.negative_prompts))
    return (
        tagged(conversion.positive_prompts, registry.subs, model, act=True),
        tagged(conversion.negative_prompts, registry.subs, model, act=False),
    )


def check_steps(steps: int, recipe: Mapping[str, Any], field: str) -> None:
    """Raises RestyleError (230) for fewer steps than a model of that ``recipe`` takes."""
    least = int(recipe.get("steps_least", STEPS.minimum))
    if steps < least:
        raise unavailable(field, f"it is {steps}; give an Int from {least} to {STEPS.maximum}")


def _files(
    conversion: Conversion, model: MainModel, registry: Registry, positive: Tagged, pictures: Pictures, named: Named
) -> tuple[tuple[PlannedFile, ...], tuple[str, ...]]:
    files: list[PlannedFile] = []
    notices: list[str] = []
    if model.weights is not None and model.family.weights is not None:
        files.append(PlannedFile(Role.WEIGHTS, model.family.weights.sha256, model.name))
    if model.entry is not None:
        files.append(_main(model.entry, registry))
    for index, choice in enumerate(conversion.sub_models):
        sub = registry.sub(choice.code, model, field=named(("sub_models", index, "code")))
        if choice.parameters.steps is not None:
            check_steps(choice.parameters.steps, {}, named(("sub_models", index, "parameters", "steps")))
        notices += _unused_of_sub(sub, choice, ("sub_models", index), named)
        files.append(_registered(SUB_ROLES[sub.kind], sub.entry, name=sub.code, weight=_weight(sub, choice)))
    files += [
        _registered(SUB_ROLES[sub.kind], sub.entry, name=sub.code, weight=weight) for sub, weight in positive.subs
    ]
    if model.entry is not None and model.entry.architecture is not None:
        asked = Control(conversion.control_type, pictures.control is not None, model.family.controls)
        own_vae = conversion.use_main_model_vae
        beside = companions(model.entry, registry.catalogue, asked, own_vae=own_vae, named=named)
        files += [_registered(role, entry) for role, entry in beside.files]
        files += [
            replace(_registered(Role.CONTROLNET, entry), facts={**entry.facts, "control": shown_it})
            for entry, shown_it in beside.controls
        ]
        if conversion.strength > 0:
            notices += beside.notices
    return tuple(files), tuple(notices)


def _main(entry: Entry, registry: Registry) -> PlannedFile:
    """A main model; among the facts of a UNet alone is the file that completes it, in place of its code."""
    planned = _registered(Role.MAIN, entry)
    if not (code := entry.facts.get("base")):
        return planned
    base = registry.catalogue.main(code)
    completing = {"sha256": base.sha256, "name": base.name, "format": base.format, "facts": dict(base.facts)}
    return replace(planned, facts={**planned.facts, "base": completing})


def _registered(role: Role, entry: Entry, *, name: str = "", weight: float = 1.0) -> PlannedFile:
    return PlannedFile(
        role,
        entry.sha256,
        name or entry.name,
        entry.format,
        entry.architecture.value if entry.architecture else "",
        dict(entry.facts),
        entry.trigger_words,
        weight,
        dict(entry.recipe),
    )


def _weight(sub: SubModel, choice: ModelChoice) -> float:
    if sub.kind not in WEIGHTED:
        return 1.0
    given = choice.parameters.weight
    return float(sub.defaults.get("LoraWeight", 1) if given is None else given)


def _unused(conversion: Conversion, model: MainModel, pictures: Pictures, named: Named) -> Iterator[str]:
    """A sentence for everything that is asked for and that the model does not use."""
    honours = model.family.honours
    unused: list[FieldPath] = []
    if Feature.TEXT not in honours:
        unused += [(name,) for name in ("positive_prompts", "negative_prompts") if getattr(conversion, name)]
    if conversion.use_main_model_vae and (Feature.VAE not in honours or model.entry is None):
        unused.append(("use_main_model_vae",))
    if Feature.CONTROL not in honours or model.entry is None:
        given = {"control_type": conversion.control_type, "control_image": pictures.control}
        unused += [(name,) for name, value in given.items() if value is not None]
    unused += [
        ("model", "parameters", name) for name in conversion.model.parameters.given() if USES.get(name) not in honours
    ]
    return (f"{named(field)} is not used by {model.name}" for field in unused)


def _unused_of_sub(sub: SubModel, choice: ModelChoice, place: FieldPath, named: Named) -> Iterator[str]:
    for name in choice.parameters.given():
        if not (name == "weight" and sub.kind in WEIGHTED):
            yield f"{named((*place, 'parameters', name))} is not used: {sub.name} is of kind {sub.kind}"


def _own_negative(model: MainModel) -> tuple[str, ...]:
    """What a model keeps out of its pictures where a conversion does not say."""
    own = model.entry.negative_prompt if model.entry else ""
    return (own,) if own else ()


def _remarks(conversion: Conversion, model: MainModel, inference: Inference, named: Named) -> Iterator[str]:
    """What a client should know of a checkpoint's drawing before it is drawn."""
    if model.entry is None:
        return
    if conversion.strength == 0:
        yield f"{named(('strength',))} 0 returns the raw image; nothing was drawn"
        return
    if not conversion.negative_prompts and inference.cfg_scale > 1 and (own := model.entry.negative_prompt):
        yield f"{named(('negative_prompts',))}: {model.name} has its own, {shown(own)}"
    if inference.cfg_scale == 1 and conversion.negative_prompts:
        scale = named(("cfg_scale",))
        yield f"{named(('negative_prompts',))} have no part at {scale} 1"
    if note := model.family.samplers.get(inference.sampler):
        yield f"Sampler {inference.sampler}: {note}"
