"""The diffusion engine, as others see it: any registered checkpoint of Stable Diffusion 1.5 or SDXL."""

from restyle.engines.base import Family, Feature
from restyle.engines.diffusion.architecture import Architecture
from restyle.engines.diffusion.detectors import FOUND
from restyle.engines.diffusion.samplers import ALIASES, NEAREST, SAMPLERS

FAMILY = Family(
    name="diffusion",
    load="restyle.engines.diffusion.engine:load",
    price=0.2,
    honours=frozenset(Feature),
    samplers={name: sampler.note for name, sampler in SAMPLERS.items()},
    aliases=ALIASES,
    nearest=NEAREST,
    rehearse="restyle.engines.diffusion.rehearsal:rehearse",
    architectures=frozenset(Architecture),
    recipe="restyle.engines.diffusion.strength:checked",
    controls=frozenset(FOUND),
    libraries=("torch", "diffusers", "transformers", "accelerate", "safetensors", "scipy", "torchsde", "cv2"),
    install="pip install 'restyle[diffusion]'",
)
