"""WebP (RFC 9649): chunks of a RIFF file."""

from restyle.images.structure.frame import Frame, Metadata, at_most, cut_off

FRAMES = 10_000
"""Most frames of an animation; the first is shown, but all are listed before."""
BYTES_PER_PIXEL = 18
"""libwebp holds two canvases, lossless pixels aside, and Pillow two copies of the result: 17 were measured."""


def read(data: bytes) -> Frame:
    """The largest frame or canvas of a whole WebP. Raises Unsound."""
    end = 8 + int.from_bytes(data[4:8], "little")
    if end > len(data):
        raise cut_off("WebP")
    metadata, frames = Metadata(), 0
    sizes: list[tuple[int, int]] = []
    at = 12
    while at + 8 <= end:
        name, length = data[at : at + 4], int.from_bytes(data[at + 4 : at + 8], "little")
        at += 8
        if at + length > end:
            raise cut_off("WebP")
        head = data[at : at + 16]
        match name:
            case b"VP8X":
                sizes.append((_u24(head, 4) + 1, _u24(head, 7) + 1))
            case b"ANMF":
                sizes.append((_u24(head, 6) + 1, _u24(head, 9) + 1))
                frames += 1
                at_most("frames", frames, FRAMES)
            case b"VP8 ":
                sizes.append((_u16(head, 6) & 0x3FFF, _u16(head, 8) & 0x3FFF))
            case b"VP8L":
                packed = int.from_bytes(head[1:5], "little")
                sizes.append(((packed & 0x3FFF) + 1, (packed >> 14 & 0x3FFF) + 1))
            case b"ALPH":
                pass
            case _:
                metadata.add(length)
        at += length + length % 2
    width, height = max(sizes, key=lambda size: size[0] * size[1], default=(0, 0))
    if not width or not height:
        raise cut_off("WebP")
    return Frame("WEBP", width, height, BYTES_PER_PIXEL * width * height)


def _u16(data: bytes, at: int) -> int:
    return int.from_bytes(data[at : at + 2], "little")


def _u24(data: bytes, at: int) -> int:
    return int.from_bytes(data[at : at + 3], "little")
