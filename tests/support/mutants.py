"""Pictures of every format that chance has damaged, and what a service says to them.

Everything follows from a seed, so a mutant that somebody has to look at can be made again.
"""

import base64
import random
import struct
import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import numpy as np
import psutil
from PIL import Image

from tests.support import heif
from tests.support.patience import wait_for
from tests.support.pictures import cmyk_profile, encode, matrix_profile, picture, png16, png_chunk, tiff
from tests.support.service import PICTURE, RunningService, submission
from tests.support.zygote import WORKER, children

NUMBERS = (0, 1, 2, 3, 4, 7, 8, 15, 16, 17, 31, 32, 63, 64, 127, 128, 255, 256, 257, 1023, 4096, 32767, 32768, 65535)
LARGE = (2**16, 2**24, 2**31 - 1, 2**31, 2**32 - 1, 2**32 - 8)
GREY = {256: 32, 257: 32, 258: 8, 259: 1, 262: 1, 273: 8, 277: 1, 278: 32, 279: 1024}
"""A TIFF's directory: 32 x 32, grey, in one strip at byte 8."""
MOST = 64 * 1024
"""Bytes of a mutant."""
SENDERS = 4


@cache
def originals() -> dict[str, tuple[bytes, ...]]:
    """Small good pictures, by format, that between them have most of what a file of that format can have."""
    pixels = picture(40, 60)
    rgb = Image.fromarray(pixels)
    clear = Image.fromarray(np.dstack([pixels, np.full(pixels.shape[:2], 90, np.uint8)]))
    frames = [Image.fromarray(picture(20, 30, seed)) for seed in range(3)]
    several: dict[str, Any] = {"save_all": True, "append_images": frames[1:]}
    exif = Image.Exif()
    exif[0x0112] = 6
    profile = matrix_profile()
    squeezed = cmyk_profile({(0, 0, 0, 0): (0.9, 1, 0.8), (255, 255, 255, 255): (0, 0, 0)})
    return {
        "JPEG": (
            encode(pixels, "JPEG", exif=exif, icc_profile=profile),
            encode(pixels, "JPEG", progressive=True, quality=30),
            encode(rgb.convert("L"), "JPEG", restart_marker_blocks=2),
            encode(rgb.convert("CMYK"), "JPEG", icc_profile=squeezed),
        ),
        "PNG": (
            encode(pixels, "PNG", icc_profile=profile, exif=exif),
            encode(clear, "PNG"),
            encode(rgb.quantize(16), "PNG"),
            encode(rgb.convert("1"), "PNG"),
            png16(pixels.astype(np.uint16) * 257),
            encode(frames[0], "PNG", **several),
        ),
        "HEIC": (*map(heif.heic, ("plain", "alpha", "turned")), heif.grid(2, 2, 150, 110)),
        "WEBP": (
            encode(pixels, "WEBP", icc_profile=profile, exif=exif),
            encode(clear, "WEBP", lossless=True),
            encode(frames[0], "WEBP", **several),
        ),
        "AVIF": (
            encode(pixels, "AVIF", speed=10, icc_profile=profile, exif=exif),
            encode(clear, "AVIF", speed=10),
            encode(frames[0], "AVIF", speed=10, **several),
        ),
        "GIF": (encode(rgb.quantize(32), "GIF"), encode(frames[0], "GIF", **several)),
        "BMP": (encode(pixels, "BMP"), encode(rgb.quantize(16), "BMP"), encode(rgb.convert("1"), "BMP")),
        "TIFF": (
            *(
                encode(rgb, "TIFF", compression=each)
                for each in ("raw", "tiff_lzw", "tiff_adobe_deflate", "packbits", "jpeg")
            ),
            encode(rgb.convert("1"), "TIFF", compression="group4"),
            encode(clear, "TIFF"),
            tiff({tag: (value,) for tag, value in GREY.items()}),
        ),
    }  # fmt: skip


def mutants(seed: int) -> Iterator[tuple[str, bytes]]:
    """Format and file of one mutant after the other, the formats in turn."""
    chance = random.Random(seed)
    kinds = sorted(originals())
    while True:
        for kind in kinds:
            file = bytearray(chance.choice(originals()[kind]))
            for _ in range(chance.choice((1, 1, 1, 2, 2, 4, 8))):
                chance.choice(CHANGES)(file, chance)
            yield kind, bytes((repaired(file) if kind == "PNG" and chance.random() < 0.7 else file)[:MOST])


def _place(file: bytearray, chance: random.Random) -> int:
    """Anywhere, but half of the time where formats have their heads."""
    return chance.randrange(min(len(file), 300) if chance.random() < 0.5 else len(file)) if file else 0


def _bits(file: bytearray, chance: random.Random) -> None:
    for _ in range(chance.choice((1, 1, 3, 20))):
        if file:
            file[_place(file, chance)] ^= 1 << chance.randrange(8)


def _bytes(file: bytearray, chance: random.Random) -> None:
    at = _place(file, chance)
    file[at : at + chance.choice((1, 4, 16))] = chance.randbytes(chance.choice((1, 4, 16)))


def _number(file: bytearray, chance: random.Random) -> None:
    order, kind = chance.choice("<>"), chance.choice("BHL")
    values = [*NUMBERS, *LARGE] if kind == "L" else [each for each in NUMBERS if kind == "H" or each < 256]
    data = struct.pack(order + kind, chance.choice(values))
    at = _place(file, chance)
    file[at : at + len(data)] = data


def _cut(file: bytearray, chance: random.Random) -> None:
    del file[_place(file, chance) :]


def _drop(file: bytearray, chance: random.Random) -> None:
    at = _place(file, chance)
    del file[at : at + chance.choice((1, 2, 4, 12, 100))]


def _double(file: bytearray, chance: random.Random) -> None:
    at = _place(file, chance)
    piece = bytes(file[at : at + chance.choice((2, 8, 30, 200))])
    file[at:at] = piece * chance.choice((1, 2, 50))


def _swap(file: bytearray, chance: random.Random) -> None:
    first, second, size = _place(file, chance), _place(file, chance), chance.choice((2, 8, 40))
    one, other = file[first : first + size], file[second : second + size]
    file[first : first + size], file[second : second + size] = other, one


def _graft(file: bytearray, chance: random.Random) -> None:
    """A piece of a picture of any format."""
    other = chance.choice(originals()[chance.choice(sorted(originals()))])
    begin, at = chance.randrange(len(other)), _place(file, chance)
    piece = other[begin : begin + chance.choice((4, 16, 64, 500))]
    file[at : at + (len(piece) if chance.random() < 0.5 else 0)] = piece


CHANGES: tuple[Callable[[bytearray, random.Random], None], ...] = (
    _bits, _bits, _bytes, _number, _number, _number, _cut, _drop, _double, _swap, _graft,
)  # fmt: skip


def repaired(file: bytearray) -> bytearray:
    """A PNG whose chunks have the right sums again, as far as they can be followed; else nothing looks further."""
    made, at = bytearray(file[:8]), 8
    while at + 12 <= len(file):
        size = int.from_bytes(file[at : at + 4], "big")
        name, data = bytes(file[at + 4 : at + 8]), bytes(file[at + 8 : at + 8 + size])
        if len(data) < size:
            break
        if name == b"IDAT" and zlib.crc32(data) % 3 == 0:  # pixels that can be unpacked, and are wrong
            data = zlib.compress(data)
        made += png_chunk(name, data)
        at += 12 + size
    return made + file[at:]


@dataclass
class Barrage:
    """Sends mutants to a service as the raw images of submissions. ``answers`` counts formats and RetCodes."""

    service: RunningService
    answers: Counter[tuple[str, int]] = field(default_factory=Counter)
    strange: list[str] = field(default_factory=list)
    accepted: list[str] = field(default_factory=list)

    def send(self, seed: int, count: int) -> None:
        """Send ``count`` of those of ``seed``, several beside each other."""
        source = mutants(seed)
        with ThreadPoolExecutor(SENDERS) as senders:
            for kind, answer in senders.map(self._one, (next(source) for _ in range(count)), chunksize=1):
                self.answers[kind, answer["RetCode"]] += 1
                if answer["RetCode"] == 0:
                    self.accepted.append(answer["TaskUID"])
                elif answer["RetCode"] != 4003 or not answer["Message"].startswith("ImageList[0]"):
                    self.strange.append(f"{kind}: {answer}")

    def outcomes(self) -> Counter[tuple[str, int]]:
        """How the tasks of those that were accepted ended: Status and ErrorCode. Waits for all."""
        wait_for(lambda: not self.service.call("ListRunningTasks")["TaskUIDList"])
        ended: Counter[tuple[str, int]] = Counter()
        for begin in range(0, len(self.accepted), 100):
            answer = self.service.call("ListTasksDetails", TaskUIDList=self.accepted[begin : begin + 100])
            ended.update((each["Status"], each["ErrorCode"]) for each in answer["TaskDetailList"])
        return ended

    def _one(self, mutant: tuple[str, bytes]) -> tuple[str, dict[str, Any]]:
        kind, file = mutant
        pictures = [base64.b64encode(file).decode(), PICTURE]
        while True:
            answer = self.service.call("ApplyReferenceStyle", **submission(ImageList=pictures))
            if answer["RetCode"] != 4009:  # the machine is busy, and clients are told to come back
                return kind, answer


@dataclass
class Body:
    """What a service is made of at a moment: memory in bytes, handles, threads, and its worker processes."""

    memory: int
    handles: int
    threads: int
    workers: frozenset[int]

    @classmethod
    def of(cls, service: RunningService) -> "Body":
        process = psutil.Process(service.process.pid)
        return cls(
            memory=process.memory_info().rss,
            handles=process.num_fds(),
            threads=process.num_threads(),
            workers=frozenset(each.pid for each in children(service.process.pid, WORKER)),
        )
