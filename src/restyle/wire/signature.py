"""Who sent this, and is it what they sent? The signature of a request body, read the way PICPIK's signers write it.

The rule: the values of all fields except ``Signature``, each behind its name, names ascending by code point, no
separators, the private key at the end; SHA-1 of the UTF-8 bytes in lower-case hex. Bodies carry pictures of many
megabytes, so the text is never built: it flows into the hash in pieces.
"""

import hashlib
import hmac
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from math import isfinite

Json = Mapping[str, "Json"] | Sequence["Json"] | str | int | float | bool | None

HEADER = "X-Restyle-Signature"
"""Header of the timed signature, ``t=<unix seconds>,v1=<hex>``, which some keys require as well."""
HEADER_SECONDS = 300
"""How far the time in the header may be from the server's, either way."""

_PIECE = 1 << 17
"""Characters of a long string encoded at once: small enough to stay in cache, large enough that the hash dominates."""


def sign(body: Mapping[str, Json], private_key: str) -> str:
    """The ``Signature`` of ``body`` (a ``Signature`` field in it is left out): 40 lower-case hex digits.

    Raises ValueError for NaN and Infinity, UnicodeEncodeError for a lone surrogate, TypeError for what is not JSON.
    """
    digest = hashlib.sha1(usedforsecurity=False)
    for piece in _object_pieces(_unsigned(body)):
        digest.update(piece)
    digest.update(private_key.encode())
    return digest.hexdigest()


def matches(body: Mapping[str, Json], private_key: str, signature: str) -> bool:
    """Whether ``signature`` is the signature of ``body``; takes the same time wherever the two differ."""
    return same_text(sign(body, private_key), signature)


def same_text(one: str, other: str) -> bool:
    """Whether two texts are equal, in a time that does not tell where they differ."""
    return hmac.compare_digest(one.encode(), other.encode())


def digest_body(body: Mapping[str, Json], signature: str) -> bytes:
    """A digest that tells two signed bodies apart, even where their signatures agree.

    ``signature`` is that of ``body``. It has no separators (``["ab","c"]`` signs like ``["a","bc"]``), so alone it
    cannot say whether a repeated request is the same one. It does cover every byte, in a fixed order; with the kind and
    length of every value beside it nothing is left open, and megabytes need not be hashed again.
    """
    digest = hashlib.sha256(signature.encode())
    for frame in _frames(_unsigned(body)):
        digest.update(frame)
    return digest.digest()


def sign_header(raw_body: bytes | bytearray, private_key: str, unix_seconds: int) -> str:
    """The value of ``X-Restyle-Signature`` for the exact bytes of a body sent at ``unix_seconds``."""
    mac = hmac.new(private_key.encode(), f"{unix_seconds}.".encode(), hashlib.sha256)
    mac.update(raw_body)
    return f"t={unix_seconds},v1={mac.hexdigest()}"


def header_time(header: str) -> int:
    """The ``t`` of an ``X-Restyle-Signature`` value. Raises ValueError when the value has another form."""
    time, comma, mac = header.partition(",")
    digits = time.removeprefix("t=")
    if time == digits or not comma or not mac.startswith("v1=") or not (digits.isascii() and digits.isdecimal()):
        raise ValueError("not of the form t=<unix seconds>,v1=<hex>")
    if len(digits) > 18:
        raise ValueError("t is not a time in unix seconds")
    return int(digits)


def print_number(number: int | float) -> str:
    """A number as the signature prints it: whole values without a fraction, never in scientific notation.

    >>> print_number(42.0), print_number(1e-05), print_number(7.5), print_number(1e22), print_number(-0.0)
    ('42', '0.00001', '7.5', '10000000000000000000000', '0')
    """
    if isinstance(number, int):
        return str(number)
    if not isfinite(number):
        raise ValueError("NaN and Infinity cannot be signed")
    if number == 0:
        return "0"  # -0.0 too: most languages print it so, and JSON readers turn "-0" into 0
    plain = format(Decimal(repr(number)), "f")
    return plain.rstrip("0").rstrip(".") if "." in plain else plain


def _unsigned(body: Mapping[str, Json]) -> dict[str, Json]:
    return {name: value for name, value in body.items() if name != "Signature"}


def _object_pieces(fields: Mapping[str, Json]) -> Iterator[bytes]:
    for name in sorted(fields):
        yield name.encode()
        yield from _value_pieces(fields[name])


def _value_pieces(value: Json) -> Iterator[bytes]:
    if isinstance(value, str):
        yield from _text_pieces(value)
    elif value is None:
        return
    elif isinstance(value, bool):
        yield b"true" if value else b"false"
    elif isinstance(value, int | float):
        yield print_number(value).encode()
    elif isinstance(value, Mapping):
        yield from _object_pieces(value)
    elif isinstance(value, list | tuple):
        for element in value:
            yield from _value_pieces(element)
    else:
        raise TypeError(f"{type(value).__name__} is not a JSON value")


def _text_pieces(text: str) -> Iterator[bytes]:
    for start in range(0, len(text), _PIECE):
        yield text[start : start + _PIECE].encode()


def _frames(value: Json) -> Iterator[bytes]:
    """Kind and length of each value, in the order in which ``_value_pieces`` gives their text."""
    if isinstance(value, str):
        yield b"s%d;" % len(value)
    elif value is None:
        yield b"n"
    elif isinstance(value, bool):
        yield b"t" if value else b"f"
    elif isinstance(value, int | float):
        yield b"d%d;" % len(print_number(value))
    elif isinstance(value, Mapping):
        yield b"o%d;" % len(value)
        for name in sorted(value):
            yield b"k%d;" % len(name)
            yield from _frames(value[name])
    elif isinstance(value, list | tuple):
        yield b"a%d;" % len(value)
        for element in value:
            yield from _frames(element)
    else:
        raise TypeError(f"{type(value).__name__} is not a JSON value")
