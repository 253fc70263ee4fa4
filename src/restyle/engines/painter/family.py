"""The painter, as others see it: any picture's style in a fraction of a second, on any processor."""

from restyle.engines.base import Family

FAMILY = Family(
    name="painter",
    load="restyle.engines.painter.engine:load",
    price=1,
    model="Restyle Painter",
    licence="Apache-2.0",
)
