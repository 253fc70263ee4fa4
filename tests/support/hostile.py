"""Requests that nobody should send, each with the answer it gets."""

import base64
import json
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import httpx
import numpy as np
from PIL import Image

from restyle.wire.signature import sign
from tests.support import bombs
from tests.support.pictures import (
    bomb,
    encode,
    matrix_profile,
    picture,
    png16,
    png_chunk,
    png_header,
)
from tests.support.service import PICTURE, RunningService, submission

JSON = {"Content-Type": "application/json"}
MAX_IMAGE_BYTES = 1_000_000
"""The setting under which the table holds."""


@dataclass(frozen=True)
class Case:
    """One request and its answer. ``field`` is that of the answer, and its Message names it."""

    name: str
    send: Callable[[RunningService], httpx.Response]
    code: int
    field: str | None = None
    status: int = 200


def table() -> list[Case]:
    """All cases."""
    return [*bodies(), *senders(), *fields(), *other_actions(), *base64_texts(), *pictures()]


# ---- bodies that hold no object -------------------------------------------------------------------------------------


def bodies() -> Iterator[Case]:
    for name, raw in {
        "empty": b"",
        "white space": b" \r\n ",
        "a word": b"hello",
        "half an object": b'{"Action":"ListModels"',
        "two objects": b"{}{}",
        "single quotes": b"{'Action':'ListModels'}",
        "trailing comma": b'{"Action":"ListModels",}',
        "comment": b'{"Action":"ListModels"/**/}',
        "raw line break in a string": b'{"Action":"List\nModels"}',
        "array": b'[{"Action":"ListModels"}]',
        "string": b'"ListModels"',
        "number": b"161",
        "null": b"null",
        "true": b"true",
        "byte order mark": b'\xef\xbb\xbf{"Action":"ListModels"}',
        "utf-16": '{"Action":"ListModels"}'.encode("utf-16-le"),
        "latin-1": b'{"Action":"\xe9"}',
        "overlong utf-8": b'{"Action":"\xc0\xaf"}',
        "zero bytes": bytes(1000),
        "duplicate key": b'{"Action":"ListModels","Action":"ListRunningTasks"}',
        "duplicate key inside": b'{"Action":"ListModels","x":[{"a":1,"a":2}]}',
        "duplicate key by escape": b'{"Action":"ListModels","\\u0041ction":"ListModels"}',
        "NaN": b'{"Action":"ListModels","x":NaN}',
        "Infinity": b'{"Action":"ListModels","x":Infinity}',
        "-Infinity": b'{"Action":"ListModels","x":-Infinity}',
        "1e400": b'{"Action":"ListModels","x":1e400}',
        "-1e400": b'{"Action":"ListModels","x":-1e400}',
        "5,000 digits": b'{"Action":"ListModels","x":' + b"7" * 5000 + b"}",
        "leading zero": b'{"Action":"ListModels","x":007}',
        "hexadecimal": b'{"Action":"ListModels","x":0x10}',
        "lone surrogate": b'{"Action":"ListModels","x":"\\ud800"}',
        "lone surrogate as a name": b'{"Action":"ListModels","\\udfff":1}',
        "33 levels": b'{"x":' * 33 + b"1" + b"}" * 33,
        "100,000 arrays": b'{"x":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
        "a million open brackets": b"[" * 1_000_000,
        "a million empty objects": b'{"x":[' + b"{}," * 1_000_000 + b"{}]}",
        "multipart": b'--x\r\nContent-Disposition: form-data; name="Action"\r\n\r\nListModels\r\n--x--',
        "xml": b'<?xml version="1.0"?><!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]><a>&b;</a>',
        "gzip": zlib.compress(b'{"Action":"ListModels"}', wbits=31),
    }.items():
        yield Case(f"body: {name}", post(raw), 4001, status=400)
    for kind in ("text/plain", "application/xml", "multipart/form-data; boundary=x", "application/json; charset=utf-7"):
        yield Case(f"body: of kind {kind}", post(b"{}", {"Content-Type": kind}), 4001, "Content-Type", status=415)
    coded = {**JSON, "Content-Encoding": "deflate"}
    yield Case("body: compressed", post(zlib.compress(b"{}"), coded), 4001, "Content-Encoding", status=415)


# ---- senders that are not who they say ------------------------------------------------------------------------------


def senders() -> Iterator[Case]:
    yield Case("action: missing", signed({}), 220, "Action")
    yield Case("action: null", signed({"Action": None}), 220, "Action")
    yield Case("action: empty", signed({"Action": ""}), 220, "Action")
    for name, value in {"number": 5, "bool": True, "array": ["ListModels"], "object": {}}.items():
        yield Case(f"action: {name}", signed({"Action": value}), 230, "Action")
    for name, text in {
        "unknown": "DropTables",
        "other case": "listmodels",
        "with a space": "ListModels ",
        "of PICPIK, not ours": "GenerateImages",
        "of Python": "__class__",
        "a megabyte": "x" * 1_000_000,
        "markup": "<script>alert(1)</script>",
    }.items():
        yield Case(f"action: {name}", signed({"Action": text}), 161, "Action")
    least = {"Action": "ListModels"}
    yield Case("key: missing", post_json({**least, "Signature": "x"}), 220, "PublicKey")
    yield Case("key: null", post_json({**least, "PublicKey": None, "Signature": "x"}), 220, "PublicKey")
    yield Case("key: empty", post_json({**least, "PublicKey": "", "Signature": "x"}), 220, "PublicKey")
    for name, value in {"number": 1, "array": ["a"], "object": {"a": 1}, "bool": False}.items():
        yield Case(f"key: {name}", post_json({**least, "PublicKey": value, "Signature": "x"}), 230, "PublicKey")
    for name, text in {
        "unknown": "nobody",
        "SQL": "' OR 1=1 --",
        "NUL": "a\0b",
        "Chinese": "钥匙",
        "a megabyte": "k" * 1_000_000,
    }.items():
        yield Case(f"key: {name}", post_json({**least, "PublicKey": text, "Signature": "x"}), 172, "PublicKey")
    yield Case("key: disabled", disabled_key, 172, "PublicKey")
    yield Case("signature: missing", signed(least, without_signature=True), 220, "Signature")
    yield Case("signature: null", signed(least, Signature=None), 220, "Signature")
    yield Case("signature: empty", signed(least, Signature=""), 220, "Signature")
    for name, wrong in {"number": 12, "array": ["a"], "object": {}, "bool": True}.items():
        yield Case(f"signature: {name}", signed(least, Signature=wrong), 230, "Signature")
    yield Case("signature: first character wrong", mis_signed(lambda s: flip(s, 0)), 171, "Signature")
    yield Case("signature: last character wrong", mis_signed(lambda s: flip(s, 39)), 171, "Signature")
    yield Case("signature: upper case", mis_signed(lambda s: "A" + s.upper()[1:]), 171, "Signature")
    yield Case("signature: a character short", mis_signed(lambda s: s[:-1]), 171, "Signature")
    yield Case("signature: a character long", mis_signed(lambda s: s + "0"), 171, "Signature")
    yield Case("signature: white space around", mis_signed(lambda s: f" {s} "), 171, "Signature")
    yield Case("signature: not ASCII", mis_signed(lambda s: "é" * 40), 171, "Signature")
    yield Case("signature: a megabyte", mis_signed(lambda s: s * 25_000), 171, "Signature")
    yield Case("signature: of another body", tampered, 171, "Signature")
    yield Case("signature: with another's private key", stolen, 171, "Signature")


# ---- fields of ApplyReferenceStyle ----------------------------------------------------------------------------------

WRONG: dict[str, tuple[Any, ...]] = {
    "Int": ("5", True, 1.5, [1], {"a": 1}),
    "Float": ("0.5", False, [0.5], {"a": 1}),
    "Bool": ("true", 1, 0.0, [True]),
    "String": (5, True, ["Euler"], {"a": "b"}),
    "Strings": ("text", 5, {"a": "b"}, True),
    "Model": ("Obedient", 5, ["Obedient"], False),
    "Models": ("x", 5, {"ModelCode": "x"}),
}

TYPES = {
    "MainModel": "Model",
    "SubModelList": "Models",
    "PositivePrompts": "Strings",
    "NegativePrompts": "Strings",
    "TranslatePrompts": "Bool",
    "Seed": "Int",
    "Width": "Int",
    "Height": "Int",
    "BatchSize": "Int",
    "UseMainModelVAE": "Bool",
    "RawImageIndex": "Int",
    "StyleImageIndex": "Int",
    "StyleReferStrength": "Float",
    "ImageList": "Strings",
    "ResizeMode": "String",
    "PreserveColor": "Bool",
    "KeepAlpha": "Bool",
    "ControlType": "String",
    "ControlImageIndex": "Int",
    "MaskIndex": "Int",
    "request_uuid": "String",
}

PAST: dict[str, tuple[Any, ...]] = {
    "Seed": (-2, 2147483648, 1e300, -(10**30)),
    "Width": (63, 2561, 0, -64, 63.999, 10**30),
    "Height": (63, 2561, 0, -64, 1e18),
    "BatchSize": (0, 17, -1, 10**9),
    "RawImageIndex": (-1, 2, 10**12),
    "StyleImageIndex": (-1, 2, 2.0),
    "ControlImageIndex": (-1, 2),
    "MaskIndex": (-1, 2, 10**12),
    "ControlType": ("", "Depth", "normal", "depth\0"),
    "StyleReferStrength": (-0.0001, 1.0001, -1, 2, 1e308, 10**400),
    "ResizeMode": ("", "cropandresize", "Stretch", "CropAndResize\0"),
    "request_uuid": ("x" * 129, "a\nb", "\0"),
    "ImageList": ([], [PICTURE] * 17),
    "PositivePrompts": (["a"] * 51, ["a" * 2001], ["a\0"], [None], [5]),
    "NegativePrompts": (["b"] * 51, ["é" * 2001], [["b"]]),
}

AT: dict[str, tuple[Any, ...]] = {
    "Seed": (-1, 0, 2147483647, 7.0),
    "Width": (64, 2560, 64.0),
    "Height": (64, 2560),
    "BatchSize": (1, 16),
    "StyleReferStrength": (0, 1, 0.0, 1.0, -0.0, 1e-300),
    "PositivePrompts": ([], ["a"] * 50, ["😀" * 2000], [""], ["，" + 'a,b:"c"\n']),
    "ImageList": ([PICTURE] * 16,),
    "request_uuid": (None, "", "x" * 128, "'; DROP TABLE tasks; --"),
    "ResizeMode": ("JustResize", "CropAndResize", "ResizeAndFill", None),
    "RawImageIndex": (0, 1, 1.0),
    "SubModelList": ([], None),
}

PARAMS: dict[str, tuple[Any, ...]] = {
    "Steps": (5, 101, 6.5, "20", True),
    "Sampler": (5, ["Euler"], False),
    "ClipSkip": (0, 13, "1"),
    "CFGScale": (0.99, 30.01, "7.5", True),
    "LoraWeight": (-1.01, 2.01, "1"),
}


def fields() -> Iterator[Case]:
    for name in ("MainModel", "RawImageIndex", "StyleImageIndex", "ImageList"):
        yield Case(f"{name}: missing", apply(without=name), 220, name)
        yield Case(f"{name}: null", apply({name: None}), 220, name)
    for name, kind in TYPES.items():
        for value in WRONG[kind]:
            field = f"{name}[0]" if kind == "Models" and isinstance(value, list) else name
            yield Case(f"{name}: {brief(value)}, which is no {kind}", apply({name: value}), 230, field)
    for name, values in PAST.items():
        for value in values:
            code, field = 230, name
            if name.endswith("Prompts") and len(value) == 1:
                field = f"{name}[0]"
            if name == "request_uuid" and value == "\0":
                field = name
            yield Case(f"{name}: {brief(value)}, past its bounds", apply({name: value}), code, field)
    for name, values in AT.items():
        for value in values:
            yield Case(f"{name}: {brief(value)}, which is good", apply({name: value}), 0)
    for name, params in PARAMS.items():
        for value in params:
            model = {"ModelCode": "Obedient", "InferenceParams": {name: value}}
            path = f"MainModel.InferenceParams.{name}"
            yield Case(f"{path}: {brief(value)}", apply({"MainModel": model}), 230, path)
    models: list[tuple[str, dict[str, Any], int]] = [
        ("missing", {}, 220),
        ("null", {"ModelCode": None}, 220),
        ("empty", {"ModelCode": ""}, 220),
        ("number", {"ModelCode": 7}, 230),
        ("unknown", {"ModelCode": "Nobody's"}, 4004),
        ("a path", {"ModelCode": "../../etc/passwd"}, 4004),
        ("100,000 characters", {"ModelCode": "m" * 100_000}, 4004),
    ]
    for name, model, code in models:
        yield Case(f"ModelCode: {name}", apply({"MainModel": model}), code, "MainModel.ModelCode")
    yield Case("sub-model: without code", apply({"SubModelList": [{}]}), 220, "SubModelList[0].ModelCode")
    yield Case("sub-model: number", apply({"SubModelList": [{"ModelCode": "a"}, 1]}), 230, "SubModelList[1]")
    yield Case("sub-model: null", apply({"SubModelList": [None]}), 230, "SubModelList[0]")
    unfit = {"SubModelList": [{"ModelCode": "a LoRA"}]}
    yield Case("sub-model: does not fit", apply(unfit), 4005, "SubModelList[0].ModelCode")


def other_actions() -> Iterator[Case]:
    details: list[tuple[str, Any, int, str]] = [
        ("missing", ..., 220, "TaskUIDList"),
        ("null", None, 220, "TaskUIDList"),
        ("empty", [], 230, "TaskUIDList"),
        ("101", ["cktlm6lrh4miq8ng9nf0"] * 101, 230, "TaskUIDList"),
        ("a string", "cktlm6lrh4miq8ng9nf0", 230, "TaskUIDList"),
        ("of numbers", [1, 2], 230, "TaskUIDList[0]"),
        ("with a null", ["cktlm6lrh4miq8ng9nf0", None], 230, "TaskUIDList[1]"),
        ("unknown", ["cktlm6lrh4miq8ng9nf0"], 4006, "TaskUIDList"),
        ("an empty one", [""], 4006, "TaskUIDList[0]"),
        ("NUL", ["\0" * 20], 4006, "TaskUIDList[0]"),
        ("a path", ["../../../etc/passwd"], 4006, "TaskUIDList[0]"),
        ("upper case", ["CKTLM6LRH4MIQ8NG9NF0"], 4006, "TaskUIDList[0]"),
        ("a megabyte", ["c" * 1_000_000], 4006, "TaskUIDList[0]"),
    ]
    for name, value, code, field in details:
        body = {"Action": "ListTasksDetails"} | ({} if value is ... else {"TaskUIDList": value})
        yield Case(f"details: {name}", signed(body), code, field)
    ends: list[tuple[str, Any, int]] = [
        ("missing", ..., 220),
        ("null", None, 220),
        ("empty", "", 220),
        ("number", 1, 230),
        ("array", ["cktlm6lrh4miq8ng9nf0"], 230),
        ("unknown", "cktlm6lrh4miq8ng9nf0", 4006),
        ("not an xid", "w" * 20, 4006),
        ("SQL", "' OR uid LIKE '%", 4006),
    ]
    for name, value, code in ends:
        body = {"Action": "TerminateTask"} | ({} if value is ... else {"TaskUID": value})
        yield Case(f"terminate: {name}", signed(body), code, "TaskUID")


# ---- pictures -------------------------------------------------------------------------------------------------------

PIXELS = picture(40, 60)
PNG = encode(PIXELS, "PNG")
FORMATS = ("JPEG", "PNG", "WEBP", "AVIF", "GIF", "TIFF", "BMP")


def base64_texts() -> Iterator[Case]:
    good = base64.b64encode(PNG).decode()
    # Bytes whose Base64 holds both letters in which the two alphabets differ.
    odd = base64.b64encode(PNG + b"\xfb\xff\xbe" * 3).decode()
    assert "+" in odd
    assert "/" in odd
    for name, text in {
        "spaces": " ".join(good[i : i + 4] for i in range(0, len(good), 4)),
        "line breaks": "\r\n".join(good[i : i + 76] for i in range(0, len(good), 76)),
        "tabs and an end of line": "\t" + good + "\n",
        "data URL": "data:image/png;base64," + good,
        "data URL of another kind of image": "data:image/jpeg;base64," + good,
        "data URL with line breaks": "data:image/png;base64,\n" + base64.encodebytes(PNG).decode(),
        "trailing bytes": odd,
    }.items():
        yield Case(f"base64: {name}", apply({"ImageList": [text, PICTURE]}), 0)
    for name, text in {
        "empty": "",
        "white space": " \n ",
        "URL-safe": odd.replace("+", "-").replace("/", "_"),
        "no padding": base64.b64encode(PNG + b"a" * (1 - len(PNG) % 3 + 3)).decode().rstrip("="),
        "too much padding": good.rstrip("=") + "====",
        "padding in the middle": good[:8] + "=" + good[8:],
        "a letter short": good.rstrip("=")[:-1],
        "percent signs": good.replace("/", "%2F"),
        "accents": "é" + good,
        "full-width letters": good.replace("A", "Ａ"),
        "NUL": good[:20] + "\0" + good[20:],
        "data URL of text": "data:text/plain;base64," + good,
        "data URL without base64": "data:image/png," + good,
        "data URL without data": "data:image/png;base64,",
        "an address": "http://127.0.0.1/picture.png",
        "a file": "file:///etc/passwd",
    }.items():
        yield Case(f"base64: {name}", apply({"ImageList": [PICTURE, text]}), 4003, "ImageList[1]")


def pictures() -> Iterator[Case]:
    for kind in FORMATS:
        whole = encode(PIXELS, kind)
        yield Case(f"picture: good {kind}", image(whole), 0)
        yield Case(f"picture: {kind} cut in half", image(whole[: len(whole) // 2]), 4003, "ImageList[0]")
        yield Case(f"picture: {kind} of 12 bytes", image(whole[:12]), 4003, "ImageList[0]")
    scan = PNG.index(b"IDAT") + 30
    for name, data in {
        "a zero byte": b"\0",
        "a thousand zero bytes": bytes(1000),
        "a text": b"A photograph of a house.\n" * 40,
        "HTML": b"<html><script>alert(1)</script></html>",
        "SVG": b'<svg xmlns="http://www.w3.org/2000/svg"><image href="file:///etc/passwd"/></svg>',
        "PDF": b"%PDF-1.7\n" + bytes(200),
        "PostScript": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n(/etc/passwd) run\n",
        "ZIP": b"PK\x03\x04" + bytes(200),
        "polyglot that begins as a PDF": b"%PDF-1.7\n" + encode(PIXELS, "JPEG"),
        "HEIC": b"\0\0\0\x18ftypheic" + bytes(100),
        "decompression bomb": bomb(),
        "65,500 x 65,500 by its header": png_header(65_500, 65_500) + PNG[33:],
        "0 x 0 by its header": png_header(0, 0) + PNG[33:],
        "PNG with a damaged chunk": PNG[:scan] + bytes([PNG[scan] ^ 1]) + PNG[scan + 1 :],
        "PNG without data": png_header(10, 10) + png_chunk(b"IEND", b""),
        "WebP damaged inside": damaged_webp(),
        "PNG without its palette": bombs.without_palette(),
        "PNG of 50,000 chunks": bombs.chunks(50_000),
        "JPEG of empty segments": bombs.empty_segments(900_000),
        "JPEG of Exif in pieces": bombs.exif_in_pieces(900_000),
        "JPEG of 50,000 scans": bombs.scans(50_000),
        "TIFF of 100,000 strips": bombs.strips(100_000),
        "TIFF with a wide dictionary": bombs.wide_dictionary(),
        "floating point TIFF": encode(Image.fromarray(np.linspace(0, 1, 64, dtype=np.float32).reshape(8, 8)), "TIFF"),
        "GIF that ends after its header": encode(PIXELS, "GIF")[:13],
        "BMP that promises more than it holds": encode(PIXELS, "BMP")[:-100],
        "more bytes than allowed": PNG[:-12] + png_chunk(b"zzZz", bytes(MAX_IMAGE_BYTES)) + PNG[-12:],
    }.items():
        yield Case(f"picture: {name}", image(data), 4003, "ImageList[0]")
    alpha = np.dstack([PIXELS, np.full(PIXELS.shape[:2], 90, np.uint8)])
    frames = [Image.fromarray(picture(20, 30, seed)) for seed in range(3)]
    animation: dict[str, Any] = {"save_all": True, "append_images": frames[1:]}
    exif = Image.Exif()
    exif[0x0112] = 6
    for name, data in {
        "1 x 1": encode(picture(1, 1), "PNG"),
        "30,000 x 1": encode(picture(1, 30_000), "PNG"),
        "1 x 30,000": encode(picture(30_000, 1), "PNG"),
        "CMYK": encode(Image.fromarray(PIXELS).convert("CMYK"), "JPEG"),
        "grey": encode(Image.fromarray(PIXELS).convert("L"), "JPEG"),
        "16-bit": png16(PIXELS.astype(np.uint16) * 257),
        "16-bit grey": png16(PIXELS[:, :, 0].astype(np.uint16) * 257),
        "palette": encode(Image.fromarray(PIXELS).quantize(16), "PNG"),
        "1-bit": encode(Image.fromarray(PIXELS).convert("1"), "PNG"),
        "animated GIF": encode(frames[0], "GIF", **animation),
        "animated PNG": encode(frames[0], "PNG", **animation),
        "animated WebP": encode(frames[0], "WEBP", **animation),
        "rotated by EXIF": encode(PIXELS, "JPEG", exif=exif),
        "broken EXIF": encode(PIXELS, "JPEG", exif=b"Exif\0\0II*\0\xff\xff\xff\x7f"),
        "with alpha": encode(Image.fromarray(alpha), "PNG"),
        "wide gamut": encode(PIXELS, "PNG", icc_profile=matrix_profile()),
        "broken profile": encode(PIXELS, "PNG", icc_profile=b"no profile at all"),
        "profile of an unreadable space": encode(PIXELS, "WEBP", icc_profile=bombs.profile(b"\x80RGB")),
        "polyglot with a ZIP behind it": encode(PIXELS, "JPEG") + b"PK\x03\x04" + bytes(500),
        "polyglot with a script in a comment": encode(PIXELS, "GIF", comment=b"*/=1;alert(1);/*"),
        "progressive": encode(PIXELS, "JPEG", progressive=True),
    }.items():
        yield Case(f"picture: {name}", image(data), 0)
    unused = {"ImageList": [PICTURE, PICTURE, base64.b64encode(b"text").decode()]}
    yield Case("picture: unused, but no picture", apply(unused), 4003, "ImageList[2]")
    bad_style = {"ImageList": [PICTURE, base64.b64encode(PNG[:-30]).decode()]}
    yield Case("picture: style is cut off", apply(bad_style), 4003, "ImageList[1]")


def damaged_webp() -> bytes:
    """The container is whole, and the pixels are noise."""
    whole = bytearray(encode(PIXELS, "WEBP"))
    whole[40:] = b"\xff" * (len(whole) - 40)
    return bytes(whole)


# ---- ways to send ---------------------------------------------------------------------------------------------------


def post(raw: bytes, headers: dict[str, str] = JSON) -> Callable[[RunningService], httpx.Response]:
    return lambda service: service.http.post("/", content=raw, headers=headers)


def post_json(body: dict[str, Any]) -> Callable[[RunningService], httpx.Response]:
    return post(json.dumps(body).encode())


def signed(
    body: dict[str, Any], *, without_signature: bool = False, **changes: Any
) -> Callable[[RunningService], httpx.Response]:
    def send(service: RunningService) -> httpx.Response:
        whole = {**service.sign(body), **changes}
        if without_signature:
            del whole["Signature"]
        return service.http.post("/", content=json.dumps(whole).encode(), headers=JSON)

    return send


def apply(changes: dict[str, Any] | None = None, *, without: str = "") -> Callable[[RunningService], httpx.Response]:
    body = {"Action": "ApplyReferenceStyle", **submission(), **(changes or {})}
    body.pop(without, None)
    return signed(body)


def image(data: bytes) -> Callable[[RunningService], httpx.Response]:
    return apply({"ImageList": [base64.b64encode(data).decode(), PICTURE]})


def mis_signed(change: Callable[[str], str]) -> Callable[[RunningService], httpx.Response]:
    def send(service: RunningService) -> httpx.Response:
        body = service.sign({"Action": "ListModels"})
        return service.http.post("/", json={**body, "Signature": change(body["Signature"])})

    return send


def flip(text: str, at: int) -> str:
    return text[:at] + ("0" if text[at] != "0" else "1") + text[at + 1 :]


def tampered(service: RunningService) -> httpx.Response:
    body = service.sign({"Action": "ApplyReferenceStyle", **submission(Seed=1)})
    return service.http.post("/", json={**body, "Seed": 2})


def stolen(service: RunningService) -> httpx.Response:
    other = service.keys.create(credits=0)
    body = {"Action": "ListModels", "PublicKey": service.key.public_key}
    return service.http.post("/", json={**body, "Signature": sign(body, other.private_key)})


def disabled_key(service: RunningService) -> httpx.Response:
    pair = service.keys.create(credits=0)
    service.keys.disable(pair.public_key)
    return service.post({"Action": "ListModels"}, pair)


def brief(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 32 else f"{text[:24]}... ({len(text)})"
