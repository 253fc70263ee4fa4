"""The brush, as others see it: any reference's style in one pass, drawn by a network that was trained here."""

from restyle.engines.base import Family, ShippedFile

WEIGHTS = ShippedFile(
    path="engines/brush/brush.safetensors", sha256="a3709a203fff511fb468e22623737755f47d86554b1f6b578f238e3d187feeda"
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
