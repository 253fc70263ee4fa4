"""The brush, as others see it: any reference's style in one pass, drawn by a network that was trained here."""

from restyle.engines.base import Family, ShippedFile

WEIGHTS = ShippedFile(
    path="engines/brush/brush.safetensors", sha256="c09928a8cf49e9ea1226a0a335aa064738eb5b4062a6f678b763026101cb1023"
)
"""``training/README.md`` says how they were made, ``LICENSE`` beside them whose they are."""

FAMILY = Family(
    name="brush",
    load="restyle.engines.brush.engine:load",
    price=2,
    model="Restyle Brush",
    shipped=WEIGHTS,
    licence="MIT",
)
