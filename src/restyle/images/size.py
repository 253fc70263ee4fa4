"""The size of a result whose size nobody gave."""

from restyle.wire.codes import Code
from restyle.wire.errors import RestyleError

SMALLEST, LARGEST = 64, 2560


def result_size(have: tuple[int, int], width: int | None, height: int | None) -> tuple[int, int]:
    """(width, height) of the result for a raw image of size ``have``, both in pixels.

    What is given counts. Of two missing sides the raw image's are taken, scaled down in proportion where one is over
    2560; a single missing side follows the other in proportion.

    Raises:
        RestyleError: ``PARAMETER_NOT_AVAILABLE`` where a side that was not given would come out under 64 or over 2560.
    """
    if width is not None and height is not None:
        return width, height
    have_width, have_height = have
    if width is None and height is None:
        scale = min(1.0, LARGEST / max(have))
    else:
        scale = width / have_width if width is not None else (height or 0) / have_height
    found = (
        round(have_width * scale) if width is None else width,
        round(have_height * scale) if height is None else height,
    )
    for name, side, given in (("Width", found[0], width), ("Height", found[1], height)):
        if given is None and not SMALLEST <= side <= LARGEST:
            raise RestyleError(
                Code.PARAMETER_NOT_AVAILABLE,
                f"parameter {name} not available: following the raw image of {have_width} x {have_height} it would be "
                f"{side}; give Width and Height, each an Int from {SMALLEST} to {LARGEST}",
                field=name,
            )
    return found
