"""One run of one task: from its stored plan and images to its stored results."""

from collections.abc import Callable, Sequence

from restyle import tracing
from restyle.conversion.draw import Drawer
from restyle.conversion.stored import from_json
from restyle.images.content import ContentFilter
from restyle.images.decode import decode
from restyle.images.encode import encode_png
from restyle.images.limits import Limits
from restyle.images.pixels import Pixels
from restyle.queue.claim import Claim
from restyle.settings import Settings
from restyle.storage import Storage, result_key
from restyle.wire.codes import Code
from restyle.wire.errors import RestyleError

PREPARED = 0.04
"""Progress once the images are decoded and fitted."""

DRAWN = 0.9
"""Of what then remains, the part that is drawing; the rest is encoding and storing."""


def run(
    claim: Claim,
    drawer: Drawer,
    storage: Storage,
    settings: Settings,
    report: Callable[[float], None],
    content: ContentFilter | None = None,
) -> tuple[str, ...]:
    """Draw the task's images and store each, as it is done, under its :func:`restyle.storage.result_key`.

    Returns what is to be added to the task's notices. ``report`` takes the fraction done, 0..1, and raises to stop the
    run. ``content`` looks at what was sent and at what is drawn, which is not stored before. Raises
    :class:`restyle.wire.errors.RestyleError` (4003, 4004, 5105; 5000 for a plan that cannot be read),
    :class:`restyle.storage.StorageError`, and whatever the engine raises.
    """
    with tracing.span("draw", claim.uid, attempt=claim.claim):
        return _run(claim, drawer, storage, settings, report, content)


def _run(
    claim: Claim,
    drawer: Drawer,
    storage: Storage,
    settings: Settings,
    report: Callable[[float], None],
    content: ContentFilter | None,
) -> tuple[str, ...]:
    plan, count = from_json(claim.plan, drawer.registry, claim.seeds), len(claim.seeds)
    if plan.seeds != claim.seeds:
        raise RestyleError(
            Code.INTERNAL_ERROR,
            "the stored task cannot be read by this release: its plan has other seeds",
        )
    report(0)
    limits = Limits.of(settings)
    raw = decode(_stored(storage, plan.raw), limits, field="RawImageIndex", keep_alpha=plan.keep_alpha)
    report(PREPARED / 2)
    styles = [decode(_stored(storage, style.picture), limits, field="StyleImageIndex") for style in plan.styles]
    control, mask = (
        None if key is None else decode(_stored(storage, key), limits, field=field)
        for field, key in (("ControlImageIndex", plan.control), ("MaskIndex", plan.mask))
    )
    if content is not None:
        _check(content, raw, styles, control, mask)
    drawing = drawer.drawing(plan, raw, styles, control=control, mask=mask)
    del raw, styles, control, mask
    drawn, stored = 0.0, 0

    def tell() -> None:
        report(PREPARED + (1 - PREPARED) * (DRAWN * drawn + (1 - DRAWN) * stored / count))

    def draw(fraction: float) -> None:
        nonlocal drawn
        drawn = fraction
        tell()

    tell()
    for pixels, text in drawing.images(draw):
        if content is not None:
            content.check(pixels, "what was drawn")
        file = encode_png(pixels, text)
        with tracing.span("put", claim.uid, bytes=len(file)):
            storage.put(result_key(claim.uid, claim.claim, stored), file)
        stored += 1
        tell()
    return drawing.notices


def _stored(storage: Storage, key: str) -> bytes:
    try:
        return storage.get(key)
    except FileNotFoundError:
        raise RestyleError(Code.INTERNAL_ERROR, f"a stored image of the task is gone: {key}") from None


def _check(
    content: ContentFilter, raw: Pixels, styles: Sequence[Pixels], control: Pixels | None, mask: Pixels | None
) -> None:
    """Let the filter see every picture of the request. It is a function so that no name of it keeps one in memory."""
    content.check(raw, "RawImageIndex")
    for style in styles:
        content.check(style, "StyleImageIndex")
    for pixels, field in ((control, "ControlImageIndex"), (mask, "MaskIndex")):
        if pixels is not None:
            content.check(pixels, field)
