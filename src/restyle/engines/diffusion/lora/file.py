"""What the file of a LoRA holds: for each part of a network the tensors of its change, and embeddings it brings."""

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import torch

from restyle.engines.base import File
from restyle.engines.diffusion.files import Tensors, metadata, tensors
from restyle.engines.diffusion.lora import names

BUNDLED = "bundle_emb."
"""Before embeddings that OneTrainer trained beside the LoRA: this, the word, then what an embedding's file holds."""
ADAPTER_METADATA = "lora_adapter_metadata"
"""Where diffusers keeps PEFT's settings, as JSON: ``unet.lora_alpha``, ``unet.alpha_pattern`` and so on."""
COMPONENTS = ("unet", "text_encoder", "text_encoder_2")
LEAVES = re.compile(
    r"""[._](?:
        (?P<down>lora_down|lora_A|lora\.down|lora_linear_layer\.down)(?:\.[\w-]+)?\.weight
      | (?P<up>lora_up|lora_B|lora\.up|lora_linear_layer\.up)(?:\.[\w-]+)?\.weight
      | (?P<up_bias>lora_B)(?:\.[\w-]+)?\.bias
      | (?P<mid>lora_mid)\.weight
      | (?P<alpha>(?:lora_)?alpha)
      | (?P<magnitude>dora_scale|lora_magnitude_vector(?:\.[\w-]+?)?(?:\.weight)?)
      | (?P<weight>diff|w_norm)
      | (?P<bias>diff_b|b_norm)
      | (?P<named>hada_(?:w[12]_[ab]|t[12])|lokr_(?:w[12](?:_[ab])?|t2))
    )$""",
    re.VERBOSE,
)
"""How names of tensors end, and what they are called here."""


@dataclass(frozen=True, eq=False, slots=True)
class Change:
    """What a file says of one part: its tensors by the names of LEAVES, and alpha, whose quotient by the rank scales
    their product; None is as much as the rank. ``root``: it is divided by the rank's square root (rsLoRA).
    """

    tensors: Mapping[str, torch.Tensor]
    alpha: float | None
    root: bool = False

    def scale(self, rank: int, weight: float = 1.0) -> float:
        """The factor of a product of that rank under a weight."""
        if self.alpha is None:
            return weight
        return weight * self.alpha / (math.sqrt(rank) if self.root else rank)

    def held(self) -> tuple[torch.Tensor, ...]:
        """Its tensors."""
        return tuple(self.tensors.values())

    def acts(self) -> bool:
        """Whether it changes anything: a product of zeros, as trainers begin with, does not."""
        whole = [name for name in self.tensors if name in ("weight", "bias", "magnitude")]
        product = [tensor for name, tensor in self.tensors.items() if name not in (*whole, "up_bias")]
        multiplied = bool(product) and self.alpha != 0 and all(bool(tensor.any()) for tensor in product)
        return multiplied or any(name == "magnitude" or bool(self.tensors[name].any()) for name in whole)


@dataclass(frozen=True, eq=False, slots=True)
class LoraFile:
    """``changes`` by the names in the file; ``bundled`` holds the tensors of embeddings by their words; ``unread`` are
    names of tensors that mean nothing here.
    """

    changes: Mapping[str, Change]
    bundled: Mapping[str, Tensors] = field(default_factory=dict)
    unread: tuple[str, ...] = ()


def read(file: File) -> LoraFile:
    """What ``file`` holds. Raises RestyleError (5101) where it cannot be read."""
    stems: dict[str, dict[str, torch.Tensor]] = {}
    bundled: dict[str, Tensors] = {}
    unread: list[str] = []
    for name, tensor in tensors(file).items():
        if name.startswith(BUNDLED):
            word, _, key = name.removeprefix(BUNDLED).partition(".")
            bundled.setdefault(word, {})[key] = tensor
        elif match := LEAVES.search(name):
            leaf = match["named"] or match.lastgroup or ""
            stems.setdefault(name[: match.start()], {})[leaf] = tensor
        else:
            unread.append(name)
    told = _settings(file)
    changes = {}
    for stem, found in stems.items():
        alpha = found.pop("alpha", None)
        if found:
            changes[stem] = _change(stem, found, alpha, told)
        else:
            unread.append(f"{stem}.alpha")
    return LoraFile(changes, bundled, tuple(unread))


def _change(stem: str, found: Tensors, alpha: torch.Tensor | None, told: Mapping[str, Any]) -> Change:
    if alpha is not None:
        return Change(found, float(alpha))
    network = names.place(stem)[0]
    settings = {
        key: told.get(f"{COMPONENTS[network]}.{key}", told.get(key))
        for key in ("lora_alpha", "alpha_pattern", "use_rslora")
    }
    value = settings["lora_alpha"]
    path = stem.removeprefix(f"{COMPONENTS[network]}.")
    for pattern, own in (settings["alpha_pattern"] or {}).items():
        if re.fullmatch(rf"(.*\.)?({pattern})", path):
            value = own
            break
    return Change(found, None if value is None else float(value), bool(settings["use_rslora"]))


def _settings(file: File) -> Mapping[str, Any]:
    """PEFT's settings of a file that diffusers saved; none where there are none."""
    said = metadata(file)
    try:
        settings = json.loads(said.get(ADAPTER_METADATA, "{}"))
    except ValueError:
        settings = {}
    if not isinstance(settings, dict):
        settings = {}
    return {**({"lora_alpha": said["lora_alpha"]} if "lora_alpha" in said else {}), **settings}
