"""The size of a result whose size nobody gave."""

from restyle.wire.fields import Named, path, unavailable
from restyle.wire.ranges import SIDE


def result_size(
    have: tuple[int, int], width: int | None, height: int | None, *, named: Named = path
) -> tuple[int, int]:
    """(width, height) of the result for a raw image of size ``have``, both in pixels; ``named`` is how the door that
    asks calls ``width`` and ``height``.

    What is given counts. Of two missing sides the raw image's are taken, scaled down in proportion where one is over
    2560; a single missing side follows the other in proportion.

    Raises:
        RestyleError: ``PARAMETER_NOT_AVAILABLE`` where a side that was not given would come out under 64 or over 2560.
    """
    if width is not None and height is not None:
        return width, height
    have_width, have_height = have
    if width is None and height is None:
        scale = min(1.0, SIDE.maximum / max(have))
    else:
        scale = width / have_width if width is not None else (height or 0) / have_height
    found = (
        round(have_width * scale) if width is None else width,
        round(have_height * scale) if height is None else height,
    )
    sides = [named((side,)) for side in ("width", "height")]
    for name, side, given in zip(sides, found, (width, height), strict=True):
        if given is None and not SIDE.minimum <= side <= SIDE.maximum:
            raise unavailable(
                name,
                f"following the raw image of {have_width} x {have_height} it would be {side}; "
                f"give {' and '.join(sides)}, each an Int from {SIDE.minimum} to {SIDE.maximum}",
            )
    return found


def shrunk(have: tuple[int, int], width: int | None, height: int | None, found: tuple[int, int]) -> tuple[str, ...]:
    """A sentence for the client where the result is smaller than the raw image though no size was asked for.

    ``have`` is the raw image's size, ``found`` the result's; ``width`` and ``height`` are what was asked for.
    """
    if width is not None or height is not None or found == have:
        return ()
    (have_width, have_height), (found_width, found_height) = have, found
    return (
        f"the raw image has {have_width} x {have_height} pixels and the result {found_width} x {found_height}: "
        f"no side may be over {SIDE.maximum}",
    )
