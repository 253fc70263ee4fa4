"""What a kept style says beside its picture, how it is called, and what a conversion leaves standing of it.

What is asked for counts; what is not, is the style's; what the style does not say either has its default. A conversion
that names a model takes neither the style's sub-models nor its choice of a VAE, which belong to the style's own model.
Size, seed, number of images, the fit and transparency are a photograph's or a moment's, and not kept with a style.
"""

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import ConfigDict, Field

from restyle.conversion.request import CHECKED, ModelChoice
from restyle.conversion.stylecode import is_code
from restyle.wire.fields import Fields, Prompts, shown, unavailable
from restyle.wire.names import FIELDS, PARAMETERS
from restyle.wire.ranges import STRENGTH

MOST_CODE = 64
"""Characters of a StyleCode."""
OF_THE_MODEL = ("model", "sub_models", "use_main_model_vae")
"""What a style does not give to a conversion that names a model."""


class StyleSettings(Fields):
    """What a style is drawn with, as a :class:`restyle.conversion.request.Conversion` calls it; None is not kept."""

    model_config = ConfigDict(extra="forbid")

    model: Annotated[ModelChoice | None, Field(description="The main model.")] = None
    sub_models: Annotated[list[ModelChoice] | None, Field(description="LoRAs, embeddings and hypernetworks.")] = None
    strength: Annotated[float | None, STRENGTH.field("0 keeps the raw image, 1 is the style at its fullest.")] = None
    preserve_color: Annotated[bool | None, Field(description="Keep the raw image's colours.")] = None
    positive_prompts: Annotated[Prompts | None, Field(description="What should appear.")] = None
    negative_prompts: Annotated[Prompts | None, Field(description="What should not appear.")] = None
    translate_prompts: Annotated[bool | None, Field(description="Translate prompts into English.")] = None
    use_main_model_vae: Annotated[bool | None, Field(description="Use the VAE that came with the main model.")] = None

    def kept(self) -> dict[str, Any]:
        """What is kept, as plain values that :meth:`read` reads again."""
        return self.model_dump(exclude_none=True)

    def beneath(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """``given``, fields of a Conversion, and what they leave open as the style keeps it."""
        own = self.kept()
        if "model" in given:
            own = {name: value for name, value in own.items() if name not in OF_THE_MODEL}
        return {**own, **given}


def wire_fields(settings: StyleSettings) -> dict[str, Any]:
    """What is kept, as the fields of the wire's ``ApplyReferenceStyle``."""
    kept = settings.kept()
    if "model" in kept:
        kept["model"] = as_model(kept["model"])
    if "sub_models" in kept:
        kept["sub_models"] = [as_model(one) for one in kept["sub_models"]]
    return {wire: kept[own] for own, wire in FIELDS.items() if own in kept}


def of_wire(fields: Mapping[str, Any]) -> StyleSettings:
    """The settings that :func:`wire_fields` made ``fields`` of, among others. Raises RestyleError (220, 230)."""
    kept = {own: fields[wire] for own, wire in FIELDS.items() if own in StyleSettings.model_fields and wire in fields}
    if "model" in kept:
        kept["model"] = as_choice(kept["model"])
    if "sub_models" in kept:
        kept["sub_models"] = [as_choice(one) for one in kept["sub_models"]]
    return StyleSettings.read(kept, CHECKED)


def as_model(choice: Mapping[str, Any]) -> dict[str, Any]:
    """A model of a :class:`Conversion` or of a style's settings as a Model of the wire."""
    given = {PARAMETERS[name]: value for name, value in choice["parameters"].items() if value is not None}
    return {"ModelCode": choice["code"], **({"InferenceParams": given} if given else {})}


def as_choice(model: Mapping[str, Any]) -> dict[str, Any]:
    """The way back."""
    params = model.get("InferenceParams") or {}
    known = {own: params[wire] for own, wire in PARAMETERS.items() if wire in params}
    return {"parameters": known, **({"code": model["ModelCode"]} if "ModelCode" in model else {})}


def checked_code(code: str, *, field: str) -> str:
    """``code`` as a StyleCode that may be given to a style. Raises RestyleError (230) naming ``field``."""
    if not code.strip() or code != code.strip() or len(code) > MOST_CODE or not code.isprintable():
        raise unavailable(
            field, f"it is {shown(code)}; a style's name is 1 to {MOST_CODE} printable characters, no space at its ends"
        )
    if code.startswith("-") or not is_code(code):
        raise unavailable(
            field,
            f"it is {shown(code)}, which reads like an option or a file; a style's name does not begin with a dash, "
            "has no slash, and does not end like a file's name",
        )
    return code
