"""The brush, as others see it: any reference's style in one pass, drawn by a network that was trained here."""

from restyle.engines.base import Family, ShippedFile

WEIGHTS = ShippedFile(path="engines/brush/brush.safetensors", sha256="")
"""No release has them yet: ``training/README.md`` says how they are made, and what then stands here."""

FAMILY = Family(
    name="brush",
    load="restyle.engines.brush.engine:load",
    price=2,
    model="Restyle Brush",
    shipped=WEIGHTS,
)
