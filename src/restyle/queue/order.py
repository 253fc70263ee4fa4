"""From what a request asks to what a worker does: which model with which parameters, and what goes unused."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from restyle.engines.base import Adapter, Feature, Inference
from restyle.models.registry import MainModel, Registry
from restyle.queue.spec import Spec
from restyle.wire import schema
from restyle.wire.codes import Code
from restyle.wire.errors import RestyleError

USES = {"Steps": Feature.STEPS, "Sampler": Feature.TEXT, "ClipSkip": Feature.TEXT, "CFGScale": Feature.TEXT}
"""Which feature of an engine makes an inference parameter of a main model mean something."""
WEIGHTED = frozenset({Feature.LORA, Feature.HYPERNETWORK})
"""Kinds of sub-model that LoraWeight weighs; the page has no other weight for a hypernetwork."""


@dataclass(frozen=True, slots=True)
class Order:
    """A request understood. ``notices`` hold a sentence for everything it asks for and the model does not use."""

    model: MainModel
    spec: Spec
    notices: tuple[str, ...]


def order(request: schema.ApplyReferenceStyle, registry: Registry, *, raw: str, style: str) -> Order:
    """The work of ``request`` on the stored images ``raw`` and ``style`` (storage keys).

    Raises RestyleError: 4004 and 4005 for models, 230 for a sampler the engine does not know.
    """
    model = registry.main(request.MainModel.ModelCode)
    notices = _unused(model, request)
    adapters = []
    for index, wanted in enumerate(request.SubModelList):
        place = f"SubModelList[{index}]"
        sub = registry.sub(wanted.ModelCode, model, field=f"{place}.ModelCode")
        given = wanted.InferenceParams.given()
        weighted = sub.kind in WEIGHTED
        notices += [
            f"{place}.InferenceParams.{name} is not used: {sub.name} is of kind {sub.kind}"
            for name in given
            if not (weighted and name == "LoraWeight")
        ]
        weight = wanted.InferenceParams.LoraWeight if "LoraWeight" in given else sub.defaults.get("LoraWeight", 1)
        adapters.append(Adapter(sub.code, sub.kind, float(weight) if weighted else 1.0))
    spec = Spec(
        model_code=model.code,
        raw=raw,
        style=style,
        width=request.Width,
        height=request.Height,
        strength=request.StyleReferStrength,
        resize_mode=request.ResizeMode,
        preserve_color=request.PreserveColor,
        positive_prompts=tuple(request.PositivePrompts),
        negative_prompts=tuple(request.NegativePrompts),
        translate_prompts=request.TranslatePrompts,
        inference=_inference(model, request.MainModel.InferenceParams),
        adapters=tuple(adapters),
        main_model_vae=request.UseMainModelVAE,
    )
    return Order(model, spec, tuple(notices))


def _inference(model: MainModel, params: schema.InferenceParams) -> Inference:
    """What the request gives, else the model's own default, else the wire's."""
    given = params.given()

    def value(name: str) -> Any:
        own: Mapping[str, Any] = model.defaults
        return getattr(params, name) if name in given or name not in own else own[name]

    sampler = value("Sampler")
    known = model.family.samplers
    if known and sampler not in known:
        field = "MainModel.InferenceParams.Sampler"
        raise RestyleError(
            Code.PARAMETER_NOT_AVAILABLE,
            f'parameter {field} not available: it is "{sampler[:48]}"; give one of {", ".join(known)}',
            field=field,
        )
    return Inference(value("Steps"), sampler, value("ClipSkip"), float(value("CFGScale")))


def _unused(model: MainModel, request: schema.ApplyReferenceStyle) -> list[str]:
    honours = model.family.honours
    unused: list[str] = []
    if Feature.TEXT not in honours:
        unused += [name for name in ("PositivePrompts", "NegativePrompts") if getattr(request, name)]
    if request.UseMainModelVAE and Feature.VAE not in honours:
        unused.append("UseMainModelVAE")
    for name in request.MainModel.InferenceParams.given():
        if USES.get(name) not in honours:
            unused.append(f"MainModel.InferenceParams.{name}")
    return [f"{name} is not used by {model.name}" for name in unused]
