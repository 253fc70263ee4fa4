"""HEIC files as phones write them. Nothing at hand writes HEVC, so four small pictures lie beside this module.

They show ``picture(64, 96)`` of :mod:`tests.support.pictures`: ``plain``, ``alpha`` with thirds that are opaque, half
opaque and clear, and ``turned`` with a rotation of 270 degrees anticlockwise.
"""

import struct
from pathlib import Path

FOLDER = Path(__file__).parent / "heic"


def heic(name: str) -> bytes:
    """The file of that name."""
    return (FOLDER / f"{name}.heic").read_bytes()


def coded(file: bytes, primaries: int, transfer: int) -> bytes:
    """``file``, HEIC or AVIF, with other code points of its colours."""
    at = file.index(b"colrnclx") + 8
    return file[:at] + struct.pack(">HH", primaries, transfer) + file[at + 4 :]


def grid(
    rows: int, columns: int, width: int, height: int, tile: bytes = b"", *, told: tuple[int, int] | None = None
) -> bytes:
    """A picture of ``width`` x ``height`` of copies of one tile, ``plain`` by default, whose size is ``told``."""
    tile = tile or heic("plain")
    mdat = tile.index(b"mdat") + 4
    pixels = tile[mdat:]
    tiles = rows * columns
    configuration, colours = (_box_at(tile, name) for name in (b"hvcC", b"colr"))
    side = tile.index(b"ispe") + 8
    properties = [configuration, colours, _full(b"ispe", 0, tile[side : side + 8])]
    properties.append(_full(b"ispe", 0, struct.pack(">II", *(told or (width, height)))))
    associations = b"".join(struct.pack(">HB3B", item, 3, 0x81, 2, 3) for item in range(1, tiles + 1))
    associations += struct.pack(">HB2B", tiles + 1, 2, 4, 2)
    infos = b"".join(_full(b"infe", 2, struct.pack(">HH4sx", item, 0, b"hvc1")) for item in range(1, tiles + 1))
    infos += _full(b"infe", 2, struct.pack(">HH4sx", tiles + 1, 0, b"grid"))
    numbers = struct.pack(f">{tiles}H", *range(1, tiles + 1))
    description = struct.pack(">BBBBII", 0, 1, rows - 1, columns - 1, width, height)
    ftyp = _box(b"ftyp", b"heic\0\0\0\0mif1heic")

    def meta(start: int) -> bytes:
        places = b"".join(
            struct.pack(">HHHHII", item, 0, 0, 1, start + (item - 1) * len(pixels), len(pixels))
            for item in range(1, tiles + 1)
        ) + struct.pack(">HHHHII", tiles + 1, 1, 0, 1, 0, len(description))
        return _full(
            b"meta",
            0,
            _full(b"hdlr", 0, bytes(4) + b"pict" + bytes(13))
            + _full(b"pitm", 0, struct.pack(">H", tiles + 1))
            + _full(b"iinf", 0, struct.pack(">H", tiles + 1) + infos)
            + _full(b"iref", 0, _box(b"dimg", struct.pack(">HH", tiles + 1, tiles) + numbers))
            + _box(
                b"iprp",
                _box(b"ipco", b"".join(properties)) + _full(b"ipma", 0, struct.pack(">I", tiles + 1) + associations),
            )
            + _box(b"idat", description)
            + _full(b"iloc", 1, struct.pack(">BBH", 0x44, 0, tiles + 1) + places),
        )

    start = len(ftyp) + len(meta(0)) + 8
    return ftyp + meta(start) + _box(b"mdat", pixels * tiles)


def lying(width: int, height: int) -> bytes:
    """``plain``, whose container says another size wherever it says one."""
    file = heic("plain")
    at = file.index(b"ispe") + 8
    return file[:at] + struct.pack(">II", width, height) + file[at + 8 :]


def _box(name: bytes, contents: bytes) -> bytes:
    return struct.pack(">I4s", 8 + len(contents), name) + contents


def _full(name: bytes, version: int, contents: bytes) -> bytes:
    return _box(name, struct.pack(">I", version << 24) + contents)


def _box_at(file: bytes, name: bytes) -> bytes:
    at = file.index(name) - 4
    return file[at : at + int.from_bytes(file[at : at + 4], "big")]
