"""Pictures side by side in a grid."""

from collections.abc import Sequence

from PIL import Image, ImageOps

PAPER = (250, 248, 244)


def contact_sheet(rows: Sequence[Sequence[Image.Image | None]], cell: int = 384, gap: int = 12) -> Image.Image:
    """Lay ``rows`` out in cells of ``cell`` pixels square; every picture is shown whole, None leaves its cell empty."""
    columns = max(len(row) for row in rows)
    pitch = cell + gap
    sheet = Image.new("RGB", (columns * pitch + gap, len(rows) * pitch + gap), PAPER)
    for down, row in enumerate(rows):
        for right, picture in enumerate(row):
            if picture is not None:
                fitted = ImageOps.contain(picture.convert("RGB"), (cell, cell), Image.Resampling.LANCZOS)
                left = gap + right * pitch + (cell - fitted.width) // 2
                top = gap + down * pitch + (cell - fitted.height) // 2
                sheet.paste(fitted, (left, top))
    return sheet
