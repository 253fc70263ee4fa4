"""What StyleReferStrength means for a diffusion model: one table, each column monotone.

Raising the amount of noise alone destroys the raw image without adding style, raising the style alone does little under
little noise: so all move together.
"""

from dataclasses import dataclass, fields

import numpy as np


@dataclass(frozen=True, slots=True)
class Strength:
    """The quantities at one strength.

    ``denoise``: part of the noise schedule that is run, 0..1. ``style``: scale of an IP-Adapter in its style blocks.
    ``control``: scale of a ControlNet. ``gamma``: share of the raw image's queries in injected attention at the first
    step. ``tone``: how far the start takes over the style image's latent statistics. ``refine``: ``denoise`` of the
    refinements above native size. ``texture``: share of the raw image's fine detail that an enlargement keeps.
    ``given_back``: share of what the VAE alone loses of the raw image that is added to the result.
    """

    denoise: float
    style: float
    control: float
    gamma: float
    tone: float
    refine: float
    texture: float
    given_back: float


COLUMNS = tuple(field.name for field in fields(Strength))

TABLE = {
    0.00: Strength(0.00, 0.00, 1.00, 1.00, 0.00, 0.00, 1.00, 1.00),
    0.25: Strength(0.38, 0.35, 0.90, 0.90, 0.40, 0.19, 0.70, 0.50),
    0.50: Strength(0.55, 0.60, 0.80, 0.75, 0.70, 0.27, 0.50, 0.00),
    0.75: Strength(0.70, 0.80, 0.65, 0.60, 0.90, 0.32, 0.25, 0.00),
    1.00: Strength(0.85, 1.00, 0.50, 0.50, 1.00, 0.35, 0.00, 0.00),
}
"""StyleReferStrength -> quantities; linear in between. gamma 0.75 in the middle is StyleID's own value."""


def at(strength: float) -> Strength:
    """The quantities at ``strength`` (0..1)."""
    points = list(TABLE)
    return Strength(
        **{name: float(np.interp(strength, points, [getattr(TABLE[p], name) for p in points])) for name in COLUMNS}
    )
