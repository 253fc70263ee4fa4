"""All engines there are. A new one is a folder with a ``family.py``, and one line here."""

from restyle.engines.base import Family
from restyle.engines.brush.family import FAMILY as BRUSH
from restyle.engines.diffusion.family import FAMILY as DIFFUSION
from restyle.engines.neighbour.family import FAMILY as NEIGHBOUR
from restyle.engines.painter.family import FAMILY as PAINTER

FAMILIES: tuple[Family, ...] = (BRUSH, PAINTER, NEIGHBOUR, DIFFUSION)
"""In the order in which models are listed; the code of PICPIK's example means the first model that is there."""
