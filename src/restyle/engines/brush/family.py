"""The brush, as others see it: any reference's style in one pass, drawn by a network that was trained here."""

from restyle.engines.base import Family, ShippedFile

WEIGHTS = ShippedFile(
    path="engines/brush/brush.safetensors", sha256="c91b77eefa7a653c835a73082df30cb6483959c4f8096fdde1dfdda18b07882c"
)
"""``training/README.md`` says how they were made, ``LICENSE`` beside them whose they are."""

FAMILY = Family(
    name="brush",
    load="restyle.engines.brush.engine:load",
    price=1,
    model="Restyle Brush",
    shipped=WEIGHTS,
    licence="MIT",
)
