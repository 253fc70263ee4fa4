"""Picture files that cost their reader far more than their writer, each whole by the rules of its format."""

import struct
import zlib
from collections.abc import Callable

import numpy as np
from PIL import Image, ImageCms

from tests.support.heif import grid
from tests.support.pictures import bomb, encode, picture, png_chunk, png_header

PIXELS = picture(40, 60)


def segment(marker: int, data: bytes = b"") -> bytes:
    """A segment of a JPEG."""
    return b"\xff" + bytes([marker]) + struct.pack(">H", len(data) + 2) + data


def behind_the_start(segments: bytes) -> bytes:
    """A good JPEG with more segments in front."""
    plain = encode(PIXELS, "JPEG")
    return plain[:2] + segments + plain[2:]


def exif_in_pieces(size: int) -> bytes:
    """A JPEG of about that size: full Exif segments first, then ever so many of a byte. Readers join them all."""
    full = segment(0xE1, b"Exif\0\0" + b"A" * 65_000) * (size // 2 // 65_000)
    return behind_the_start(full + segment(0xE1, b"Exif\0\0X") * ((size - len(full)) // 11))


def empty_segments(size: int) -> bytes:
    """A JPEG of application segments that hold nothing."""
    return behind_the_start(segment(0xE5) * (size // 4))


def scans(count: int, side: int = 7000) -> bytes:
    """A progressive JPEG, grey, that refines nothing so many times."""
    plain = bytearray(encode(Image.fromarray(PIXELS).convert("L"), "JPEG", progressive=True, quality=5))
    frame, scan = plain.index(b"\xff\xc2"), plain.index(b"\xff\xda")
    plain[frame + 5 : frame + 9] = struct.pack(">HH", side, side)
    head = scan + 2 + int.from_bytes(plain[scan + 2 : scan + 4], "big")
    return bytes(plain[:scan]) + (bytes(plain[scan:head]) + b"\0") * count + b"\xff\xd9"


def strips(count: int, kind: str = "L") -> bytes:
    """A TIFF of 1000 x 1000 whose directory names that many strips, all at one place."""
    size = struct.calcsize(kind)
    table = struct.pack("<" + kind, 8) * count + struct.pack("<" + kind, 1) * count
    code = {"L": 4, "H": 3}[kind]
    numbers = [(256, 1000), (257, 1000), (258, 8), (259, 1), (262, 1), (277, 1), (278, 1)]
    entries = [struct.pack("<HHLL", tag, 4, 1, value) for tag, value in numbers]
    entries.insert(5, struct.pack("<HHLL", 273, code, count, 8))
    entries.append(struct.pack("<HHLL", 279, code, count, 8 + size * count))
    directory = struct.pack("<H", len(entries)) + b"".join(entries) + bytes(4)
    return b"II*\0" + struct.pack("<L", 8 + len(table)) + table + directory


def wide_pixels() -> bytes:
    """A TIFF of one row of 1000 pixels, of which each is said to take 2**61 bytes."""
    numbers = [(256, 1000), (257, 1), (258, 2**32 - 1), (259, 1), (262, 1), (273, 8), (277, 2**32 - 1), (278, 1)]
    entries = [struct.pack("<HHLL", tag, 4, 1, value) for tag, value in [*numbers, (279, 1000)]]
    directory = struct.pack("<H", len(entries)) + b"".join(entries) + bytes(4)
    return b"II*\0" + struct.pack("<L", 8 + 1000) + bytes(1000) + directory


def lying_avif(side: int, told: int = 64, frames: int = 1) -> bytes:
    """An AVIF of ``side`` squared, whose container says ``told`` wherever it says a size."""
    image = Image.new("RGB", (side, side), (90, 120, 30))
    more = [Image.new("RGB", (side, side), (n, n, n)) for n in range(1, frames)]
    file = bytearray(encode(image, "AVIF", speed=10, quality=10, save_all=True, append_images=more))
    for box, size, name in ((b"ispe", 8, ">II"), (b"tkhd", 80, ">II"), (b"av01", 28, ">HH")):
        at = file.find(box)
        while at >= 0:
            place, shift = at + (size if box != b"ispe" else 8), 16 if box == b"tkhd" else 0
            old = struct.unpack_from(name, file, place)
            if old == (side << shift, side << shift):
                struct.pack_into(name, file, place, told << shift, told << shift)
            at = file.find(box, at + 4)
    return bytes(file)


def chunks(count: int) -> bytes:
    """A PNG of private chunks that hold nothing."""
    plain = encode(PIXELS, "PNG")
    return plain[:33] + png_chunk(b"zzZz", b"") * count + plain[33:]


def pixel_chunks(count: int) -> bytes:
    """A PNG with chunks of no pixels among its pixels."""
    plain = encode(PIXELS, "PNG")
    return plain[:33] + png_chunk(b"IDAT", b"") * count + plain[33:]


def without_palette() -> bytes:
    """A PNG whose pixels name colours of a palette that is not there."""
    rows = zlib.compress((b"\0" + b"\1" * 80) * 80)
    return png_header(80, 80, colour=3) + png_chunk(b"IDAT", rows) + png_chunk(b"IEND", b"")


def texts(count: int) -> bytes:
    """A PNG whose texts unpack to a megabyte each."""
    plain = encode(PIXELS, "PNG")
    text = png_chunk(b"zTXt", b"Comment\0\0" + zlib.compress(bytes(1_000_000), 9))
    return plain[:33] + text * count + plain[33:]


def comments(count: int) -> bytes:
    """A GIF with a comment in pieces of one byte."""
    plain = encode(PIXELS, "GIF")
    start = 13 + (3 << (plain[10] & 7) + 1 if plain[10] & 0x80 else 0)
    return plain[:start] + b"\x21\xfe" + b"\1a" * count + b"\0" + plain[start:]


def slow_bmp(pairs: int) -> bytes:
    """A BMP in packed rows that says "a pixel, past the row's end" so many times before it ends."""
    packed = b"\1\0" * pairs + b"\0\1"
    header = struct.pack("<IiiHHIIiiII", 40, 64, 64, 1, 8, 1, len(packed), 0, 0, 256, 0)
    start = 14 + len(header) + 1024
    return b"BM" + struct.pack("<IHHI", start + len(packed), 0, 0, start) + header + bytes(1024) + packed


def profile(space: bytes) -> bytes:
    """An sRGB profile that calls its colour space so: four bytes."""
    icc = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    icc[16:20] = space
    return bytes(icc)


def flat(side: int, kind: str) -> bytes:
    """A grey picture of ``side`` squared: large to decode, and small to send."""
    return encode(np.full((side, side, 3), 77, np.uint8), kind)


def wide_dictionary() -> bytes:
    """A small TIFF packed with LZMA that asks its reader for a dictionary of 1.5 GiB."""
    file = bytearray(encode(PIXELS, "TIFF", compression="lzma"))
    block = file.index(b"\xfd7zXZ\0") + 12
    end = block + 4 * (file[block] + 1) - 4
    at = file.index(b"\x21\x01", block, end)  # LZMA2, and that one byte of properties follows
    file[at + 2] = 37
    file[end : end + 4] = struct.pack("<I", zlib.crc32(bytes(file[block:end])))
    return bytes(file)


MAX_PIXELS = 2_000_000
"""The limit under which the table holds."""

HOSTILE: dict[str, tuple[Callable[[], bytes], str]] = {
    "Exif in many pieces": (lambda: exif_in_pieces(5_000_000), "Exif segments"),
    "empty segments": (lambda: empty_segments(8_000_000), "pieces of metadata"),
    "100,000 scans": (lambda: scans(100_000), "scans"),
    "a million strips": (lambda: strips(1_200_000), "values in an entry"),
    "two million short strips": (lambda: strips(2_000_000, "H"), "values in an entry"),
    "100,000 strips of 1,000 rows": (lambda: strips(100_000), "names 100,000 strips"),
    "pixels of 2**61 bytes": (wide_pixels, "bytes in a pixel"),
    "a small AVIF that is large": (lambda: lying_avif(1500), "1500 x 1500 = 2,250,000 pixels"),
    "a small moving AVIF that is large": (lambda: lying_avif(1500, frames=2), "1500 x 1500 = 2,250,000 pixels"),
    "a large grid of a small tile": (
        lambda: grid(32, 32, 3072, 2048, told=(96, 64)),
        "3072 x 2048 = 6,291,456 pixels",
    ),
    "a million chunks": (lambda: chunks(600_000), "pieces of metadata"),
    "a million chunks of pixels": (lambda: pixel_chunks(600_000), "chunks of pixels"),
    "a palette that is missing": (without_palette, "palette is missing"),
    "a comment in pieces": (lambda: comments(3_000_000), "sub-blocks"),
    "a wide dictionary": (wide_dictionary, "damaged TIFF"),
    "too many pixels": (bomb, "900,000,000 pixels"),
}
"""Name -> how to make a file, and what is said of it."""
