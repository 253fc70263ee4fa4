"""Sub-models that a prompt names, as in the Stable Diffusion WebUI: ``<lora:ink:0.8>``, ``<hypernet:wash>``."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from restyle.conversion.models import MainModel, SubModel, misfit
from restyle.engines.base import Feature
from restyle.wire.ranges import WEIGHT

KINDS: Mapping[str, Feature] = {
    "lora": Feature.LORA,
    "lyco": Feature.LORA,
    "hypernet": Feature.HYPERNETWORK,
}
TAG = re.compile(r"[ \t]*<(lora|lyco|hypernet):([^<>:]+)((?::[^<>:]*)*)>", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Tagged:
    """``prompts`` without tags, ``subs`` with their weights in the order named, and sentences on those not used."""

    prompts: tuple[str, ...]
    subs: tuple[tuple[SubModel, float], ...] = ()
    notices: tuple[str, ...] = ()


def tagged(prompts: Sequence[str], subs: Mapping[str, SubModel], main: MainModel, *, act: bool) -> Tagged:
    """What the tags in ``prompts`` name. ``act`` is False for negative prompts, in which they mean nothing."""
    found: list[tuple[SubModel, float]] = []
    notices: list[str] = []

    def read(match: re.Match[str]) -> str:
        outcome = _sub(match, subs, main) if act else "tags act in positive prompts only"
        if isinstance(outcome, str):
            notices.append(f"{match[0].strip()[:80]} is taken out of the prompt: {outcome}")
        else:
            found.append(outcome)
        return ""

    plain = tuple(TAG.sub(read, prompt).strip() if TAG.search(prompt) else prompt for prompt in prompts)
    return Tagged(plain, tuple(found), tuple(notices))


def _sub(match: re.Match[str], subs: Mapping[str, SubModel], main: MainModel) -> tuple[SubModel, float] | str:
    """The sub-model of a tag with its weight, or why it is not used."""
    kind, code = KINDS[match[1].lower()], match[2].strip()
    same = [each for each in subs.values() if each.kind is kind and each.code.casefold() == code.casefold()]
    sub = next((each for each in same if each.code == code), same[0] if same else None)
    if sub is None:
        return f"no {kind} has the ModelCode {code!r}"
    if reason := misfit(sub, main) or sub.absence():
        return reason
    weights = [part.partition("=")[2] or part for part in match[3].split(":")[1:] if part.strip()]
    try:
        numbers = [float(weight) for weight in weights] or [float(sub.defaults.get("LoraWeight", 1))]
    except ValueError:
        return f"{match[3][1:]!r} is no weight"
    if len(set(numbers)) > 1:
        return "text encoders and UNet cannot have different weights; give one"
    if not WEIGHT.minimum <= numbers[0] <= WEIGHT.maximum:
        return f"its weight is {numbers[0]:g}; give one from {WEIGHT.minimum:g} to {WEIGHT.maximum:g}"
    return sub, numbers[0]
