"""Before, style and after side by side: how a conversion is judged, and shown."""

from collections.abc import Sequence

from PIL import Image, ImageDraw, ImageFont

from restyle.images.limits import Limits
from restyle.images.source import Source, to_pixels
from restyle.settings import Settings

GAP = 8
CAPTION = 26
PAPER, INK = (255, 255, 255), (70, 70, 70)
NAMES = ("before", "style", "after")


def strips(rows: Sequence[Sequence[Source]], height: int = 384, names: Sequence[str] = NAMES) -> Image.Image:
    """One row per conversion, of pictures ``height`` pixels high, each in its own shape; ``names`` above the columns,
    or nothing. Rows are equally long, and as long as there are ``names`` if there are any.

    Columns are as wide as their widest picture. Raises RestyleError (4003) for a picture that cannot be read.
    """
    limits = Limits.of(Settings())
    captions = names or [""] * len(rows[0])
    table = [
        [_scaled(source, height, limits, name or "picture") for source, name in zip(row, captions, strict=True)]
        for row in rows
    ]
    widths = [max(row[column].width for row in table) for column in range(len(captions))]
    top = CAPTION if names else 0
    page = Image.new(
        "RGB", (GAP + sum(width + GAP for width in widths), top + GAP + len(table) * (height + GAP)), PAPER
    )
    draw, font = ImageDraw.Draw(page), ImageFont.load_default(size=16)
    left = GAP
    for column, name in enumerate(captions):
        draw.text((left + widths[column] / 2, CAPTION / 2 + 3), name, INK, font, anchor="mm")
        for number, row in enumerate(table):
            inset = (widths[column] - row[column].width) // 2
            page.paste(row[column], (left + inset, top + GAP + number * (height + GAP)))
        left += widths[column] + GAP
    return page


def _scaled(source: Source, height: int, limits: Limits, name: str) -> Image.Image:
    image = Image.fromarray(to_pixels(source, limits, field=name))
    width = max(1, round(image.width * height / image.height))
    return image.resize((width, height), Image.Resampling.LANCZOS)
