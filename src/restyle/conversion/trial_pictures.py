"""Pictures to try a model with: two scenes and two references of very different kinds, drawn here, of any size."""

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from restyle.images.pixels import Pixels


def still_life(side: int) -> Pixels:
    """A bowl, fruit and a window, drawn flat and softened."""
    image = Image.new("RGB", (side, side), (196, 186, 170))
    draw = ImageDraw.Draw(image)
    part = side / 64

    def box(*corners: float) -> tuple[float, float, float, float]:
        left, top, right, bottom = (corner * part for corner in corners)
        return left, top, right, bottom

    draw.rectangle(box(0, 44, 64, 64), fill=(122, 84, 58))
    draw.rectangle(box(6, 6, 24, 28), fill=(150, 190, 220), outline=(240, 240, 235), width=max(1, round(part)))
    draw.line(box(15, 6, 15, 28), fill=(240, 240, 235), width=max(1, round(part)))
    for left, top, colour in ((28, 34, (178, 40, 36)), (38, 32, (214, 140, 30)), (46, 35, (96, 140, 52))):
        draw.ellipse(box(left, top, left + 12, top + 12), fill=colour)
        draw.ellipse(box(left + 2, top + 2, left + 5, top + 5), fill=(250, 240, 225))
    draw.chord(box(24, 30, 62, 58), 0, 180, fill=(70, 92, 130))
    return np.asarray(image.filter(ImageFilter.GaussianBlur(part / 3)))


def hills(side: int) -> Pixels:
    """Three ridges under an evening sky."""
    down, across = np.mgrid[0:side, 0:side] / side
    picture = np.stack([250 - 90 * down, 170 - 30 * down, 120 + 80 * down], axis=-1)
    for level, colour in ((0.45, (110, 110, 140)), (0.6, (70, 92, 80)), (0.78, (36, 52, 40))):
        ridge = level + 0.07 * np.sin(9 * across + 20 * level) + 0.02 * np.sin(31 * across + 9 * level)
        picture[down > ridge] = colour
    return picture.clip(0, 255).astype(np.uint8)


def strokes(side: int) -> Pixels:
    """A reference of short bright strokes, wider than high."""
    rng = np.random.default_rng(5)
    image = Image.new("RGB", (side * 3 // 2, side), (20, 40, 90))
    draw = ImageDraw.Draw(image)
    colours = ((240, 200, 60), (40, 90, 170), (120, 170, 210), (230, 120, 40), (250, 240, 210))
    for _ in range(1200):
        x, y = rng.uniform(0, image.width), rng.uniform(0, side)
        slope, length = np.sin(x / side * 5) + np.cos(y / side * 4), side / 18
        end = (x + length * np.cos(slope), y + length * np.sin(slope))
        draw.line((x, y, *end), fill=colours[rng.integers(len(colours))], width=max(1, side // 90))
    return np.asarray(image)


def tiles(side: int) -> Pixels:
    """A reference of flat triangles with dark joints."""
    rng = np.random.default_rng(6)
    image = Image.new("RGB", (side, side), (30, 26, 30))
    draw = ImageDraw.Draw(image)
    colours = ((190, 60, 50), (220, 180, 90), (60, 110, 110), (235, 225, 200))
    step, joint = side / 8, side / 160
    for row in range(8):
        for column in range(8):
            x, y = column * step, row * step
            for corners in (
                ((x, y), (x + step, y), (x, y + step)),
                ((x + step, y + step), (x + step, y), (x, y + step)),
            ):
                middle = np.mean(corners, axis=0)
                inner = [tuple(np.asarray(corner) + (middle - corner) * joint * 3 / step) for corner in corners]
                draw.polygon([(float(a), float(b)) for a, b in inner], fill=colours[rng.integers(len(colours))])
    return np.asarray(image)
