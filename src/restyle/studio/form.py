"""The form of a conversion, read from the declarations that the wire's schema is made of; and back from it."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from restyle.conversion.companions import shown_to
from restyle.conversion.models import MainModel, misfit
from restyle.conversion.registry import Registry
from restyle.conversion.request import CHECKED, Conversion
from restyle.conversion.style import StyleSettings
from restyle.engines.base import Feature, Role
from restyle.models.kinds import Kind
from restyle.studio.controls import CONTROL_KINDS, LABELS, Control, controls
from restyle.studio.language import Language
from restyle.studio.runs import Wanted
from restyle.wire.errors import RestyleError
from restyle.wire.fields import FieldPath, Limits, path
from restyle.wire.names import PARAMETERS
from restyle.wire.ranges import WEIGHT

NEEDS = {
    "positive_prompts": Feature.TEXT,
    "negative_prompts": Feature.TEXT,
    "translate_prompts": Feature.TEXT,
    "sampler": Feature.TEXT,
    "clip_skip": Feature.TEXT,
    "cfg_scale": Feature.TEXT,
    "steps": Feature.STEPS,
    "use_main_model_vae": Feature.VAE,
}
"""Fields that are shown only for a model which honours that."""
SHAPES: Mapping[str, tuple[int, int]] = {
    "1024x1024": (1024, 1024),
    "1280x960": (1280, 960),
    "960x1280": (960, 1280),
    "1536x864": (1536, 864),
    "864x1536": (864, 1536),
}
FOLLOW, OWN = "follow", "own"
"""Values of ``shape``: as the photograph, and as width and height say."""
STYLE_ROLES = (Role.LORA, Role.EMBEDDING, Role.HYPERNETWORK)


@dataclass(slots=True)
class Form:
    """What the form shows. ``raws``, ``style``, ``control`` and ``mask`` name pictures as a run's items do; ``values``
    are texts as typed, by control; ``errors`` sentences by control, "" of none.
    """

    raws: list[str] = field(default_factory=list)
    style: str = ""
    control: str = ""
    mask: str = ""
    model: str = ""
    shape: str = FOLLOW
    locked: bool = False
    values: dict[str, str] = field(default_factory=dict)
    toggles: dict[str, bool] = field(default_factory=dict)
    subs: list[tuple[str, str]] = field(default_factory=list)
    errors: dict[str, str] = field(default_factory=dict)

    @property
    def pictures(self) -> list[str]:
        """All that are named."""
        return [name for name in (*self.raws, self.style, self.control, self.mask) if name]

    def value(self, name: str, model: MainModel | None = None) -> str:
        """What stands in a control: what was typed, else the model's own default, else the declared one."""
        if name in self.values:
            return self.values[name]
        default = controls()[name].default
        if model is not None and PARAMETERS.get(name) in model.defaults:
            default = model.defaults[PARAMETERS[name]]
        if default is None or default == ():
            return ""
        return f"{default:g}" if isinstance(default, float) else str(default)

    def on(self, name: str) -> bool:
        """Whether a switch is on."""
        return self.toggles.get(name, bool(controls()[name].default))


def shows(name: str, model: MainModel | None, registry: Registry) -> bool:
    """Whether a control means something to the model."""
    if name in ("control_type", "control_image"):
        return bool(control_kinds(registry, model))
    need = NEEDS.get(name)
    return need is None or (model is not None and need in model.family.honours)


def control_kinds(registry: Registry, model: MainModel | None) -> list[str]:
    """What the ControlNets can be shown that are there for the model."""
    if model is None or model.entry is None or Feature.CONTROL not in model.family.honours:
        return []
    there = registry.catalogue.of(Kind.CONTROLNET, model.entry.architecture)
    return sorted({kind for entry in there for kind in shown_to(entry)} & CONTROL_KINDS.keys())


def fitting_subs(registry: Registry, model: MainModel | None) -> list[Any]:
    """The sub-models that may be added to the model."""
    if model is None or not model.takes:
        return []
    return [sub for sub in registry.subs.values() if not sub.absence() and not misfit(sub, model)]


def from_fields(fields: Sequence[tuple[str, str]]) -> Form:
    """The form as a browser sent it."""
    form = Form()
    given: dict[str, str] = {}
    weights: list[str] = []
    codes: list[str] = []
    for name, value in fields:
        if name == "raw" and value:
            form.raws.append(value)
        elif name == "sub_code":
            codes.append(value)
        elif name == "sub_weight":
            weights.append(value)
        else:
            given[name] = value
    form.style, form.model = given.get("style", ""), given.get("model", "")
    form.control, form.mask = given.get("control_image", ""), given.get("mask", "")
    form.shape = given.get("shape", FOLLOW)
    form.locked = given.get("seed_lock") == "on"
    form.subs = [(code, weight) for code, weight in zip(codes, weights, strict=False) if code]
    for name, control in controls().items():
        if control.kind == "toggle":
            # a box that is not ticked is not sent, so another field says that it was there
            if f"has_{name}" in given or name in given:
                form.toggles[name] = given.get(name) == "on"
        elif name in given:
            form.values[name] = given[name]
    return form


def from_asked(asked: Mapping[str, Any], made_of: Wanted | None = None, raws: Iterable[str] = ()) -> Form:
    """The form that asks for ``asked``, a Conversion's own values, again, with the pictures of an item, and ``raws`` in
    place of its photograph if there are some; its seed is kept.
    """
    model = asked["model"]
    form = Form(raws=list(raws), model=model["code"], locked=True)
    if made_of is not None:
        form.raws = form.raws or [made_of.raw]
        form.style, form.control, form.mask = made_of.style, made_of.control, made_of.mask
    width, height = asked.get("width"), asked.get("height")
    if width is not None and height is not None:
        name = f"{width}x{height}"
        form.shape = name if name in SHAPES else OWN
        form.values |= {"width": str(width), "height": str(height)}
    values = {**asked, **{name: value for name, value in model["parameters"].items() if value is not None}}
    for name, control in controls().items():
        if name in ("width", "height") or name not in values:
            continue
        value = values[name]
        if control.kind == "toggle":
            form.toggles[name] = bool(value)
        elif control.kind == "lines":
            form.values[name] = "\n".join(value)
        elif value is not None:
            form.values[name] = f"{value:g}" if isinstance(value, float) else str(value)
    form.subs = [(sub["code"], _weight_text(sub["parameters"].get("weight"))) for sub in asked.get("sub_models", ())]
    return form


def put_on(form: Form, style: StyleSettings) -> None:
    """Set the controls as a kept style has them; those of which it says nothing stay."""
    kept = style.kept()
    if "model" in kept:
        form.model, form.subs = kept["model"]["code"], []
        for name in set(PARAMETERS) & form.values.keys():
            del form.values[name]
    put = from_asked({"model": {"code": form.model, "parameters": {}}, **kept})
    form.values |= put.values
    form.toggles |= put.toggles
    form.subs = put.subs if "sub_models" in kept else form.subs


def kept_of(conversion: Conversion) -> StyleSettings:
    """What a style keeps of a conversion."""
    values = conversion.model_dump(mode="json", include=set(StyleSettings.model_fields))
    return StyleSettings.read(values, CHECKED)


def asked_of_plan(spec: Mapping[str, Any], seed: int) -> dict[str, Any]:
    """What would have to be asked for a stored plan to come out again, as a Conversion's values."""
    inference = dict(spec.get("inference", {}))
    files = spec.get("files", ())
    subs = [each for each in files if each.get("role") in STYLE_ROLES]
    nets = [each for each in files if each.get("role") == Role.CONTROLNET]
    return {
        "model": {"code": spec["model"], "parameters": inference},
        "sub_models": [{"code": each["name"], "parameters": {"weight": each.get("weight")}} for each in subs],
        "seed": seed,
        "batch_size": 1,
        "control_type": nets[0].get("facts", {}).get("control") if nets else None,
        **{
            name: spec[name]
            for name in (
                "strength",
                "width",
                "height",
                "resize_mode",
                "preserve_color",
                "keep_alpha",
                "positive_prompts",
                "negative_prompts",
                "translate_prompts",
            )
            if name in spec
        },
    }


def read(form: Form, registry: Registry, limits: Limits, say: Language) -> Conversion | None:
    """The conversion that the form asks for; None, and ``form.errors`` say why, where it asks for none."""
    model = registry.mains.get(form.model)
    if model is None or model.absence():
        form.errors["model"] = say("Choose a model that is installed.")
        return None
    values: dict[str, Any] = {}
    parameters: dict[str, Any] = {}
    for name, control in controls().items():
        if name == "weight" or not shows(name, model, registry) or (name in ("width", "height") and form.shape != OWN):
            continue
        target = parameters if name in PARAMETERS else values
        if control.kind == "toggle":
            target[name] = form.on(name)
        elif control.kind == "lines":
            target[name] = [line.strip() for line in form.value(name).splitlines() if line.strip()]
        elif control.kind == "choice":
            if form.value(name, model):
                target[name] = form.value(name, model)
        elif (text := form.value(name, model).strip()) != "":
            number = _number(text, control)
            if number is None:
                form.errors[name] = _out_of_range(control, text, say)
            target[name] = number
    if form.shape in SHAPES:
        values["width"], values["height"] = SHAPES[form.shape]
    values["sub_models"] = [_sub(code, weight, place, form, say) for place, (code, weight) in enumerate(form.subs)]
    _check_control(form, model, registry, say)
    if form.errors:
        return None
    values["model"] = {"code": form.model, "parameters": parameters}
    try:
        return Conversion.read(values, limits, named=path)
    except RestyleError as error:
        show(form, error, say)
        return None


def _check_control(form: Form, model: MainModel, registry: Registry, say: Language) -> None:
    """What is asked of a ControlNet, in words for people."""
    if not shows("control_type", model, registry):
        form.control = ""
        return
    kind = form.value("control_type")
    if form.control and not kind:
        form.errors["control_type"] = say("Say what the guide picture shows.")
    elif kind in CONTROL_KINDS and not form.control and kind not in model.family.controls:
        missing = "A photograph alone does not tell {kind} here. Bring a picture that shows it."
        form.errors["control_image"] = say(missing, kind=say(CONTROL_KINDS[kind]))


def show(form: Form, error: RestyleError, say: Language) -> None:
    """Put a refusal at the control that it is about, or above the form."""
    name = _control_of(error.field or "")
    name = "sub_models" if (error.field or "").startswith("sub_models") else name
    name = "model" if name == "code" else name
    known = name in LABELS or name in ("raw", "style")
    form.errors[name if known else ""] = in_words(error, say)


def in_words(error: RestyleError, say: Language) -> str:
    """A refusal as people read it: what a code means, in their language, before the sentence that says it in detail."""
    refused = f"parameter {error.field} not available: "
    if error.field and error.message.startswith(refused):
        last = _control_of(error.field)
        label = say(LABELS.get(last, last))
        return say("{label}: {reason}", label=label, reason=say.told(error.message.removeprefix(refused)))
    return say.failure(int(error.code), error.message)


def _control_of(field: str) -> str:
    """The control of a field: ``positive_prompts`` for ``positive_prompts[3]``, ``steps`` for ``parameters.steps``."""
    return field.rpartition(".")[2].partition("[")[0]


def label_of(parts: FieldPath) -> str:
    """What notices of a plan call a field."""
    name = next((part for part in reversed(parts) if isinstance(part, str) and part in LABELS), None)
    return LABELS[name] if name else path(parts)


def _sub(code: str, weight: str, place: int, form: Form, say: Language) -> dict[str, Any]:
    control = controls()["weight"]
    number = _number(weight, control) if weight.strip() else WEIGHT.default
    if number is None:
        form.errors["sub_models"] = _out_of_range(control, weight, say)
    return {"code": code, "parameters": {"weight": number}}


def _number(text: str, control: Control) -> int | float | None:
    """The number that was typed; None where it is none or out of range."""
    assert control.minimum is not None
    assert control.maximum is not None
    try:
        number = json.loads(text.strip())
    except ValueError:
        return None
    if isinstance(number, bool) or not isinstance(number, int | float):
        return None
    if control.whole and isinstance(number, float):
        return None
    if not control.minimum <= number <= control.maximum:
        return None
    return number if control.whole else float(number)


def _out_of_range(control: Control, text: str, say: Language) -> str:
    low, high = f"{control.minimum:g}", f"{control.maximum:.10g}"
    kind = "{label} takes a whole number from {low} to {high}, and this is “{given}”."
    if not control.whole:
        kind = "{label} takes a number from {low} to {high}, and this is “{given}”."
    return say(kind, label=say(control.label), low=low, high=high, given=text[:32])


def _weight_text(weight: float | None) -> str:
    return "1" if weight is None else f"{weight:g}"
