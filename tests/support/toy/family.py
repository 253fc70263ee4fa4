"""What the toy says of itself."""

from restyle.engines.base import Family, Feature

FAMILY = Family(
    name="toy",
    load="tests.support.toy.engine:load",
    price=0.5,
    honours=frozenset({Feature.STEPS}),
    model="Toy",
    defaults={"Steps": 8},
)
