"""The brush, as others see it: any reference's style in one pass, drawn by a network that was trained here."""

from restyle.engines.base import Family, ShippedFile

WEIGHTS = ShippedFile(
    path="engines/brush/brush.safetensors", sha256="6dbbe3ef33e51cffaccefdef8dd02634d53c05b38c6f9003fd61f82865b5c7ef"
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
