"""Who sent this, and is it what they sent? The signature of a request body, read the way PICPIK's signers write it.

The rule: the values of all fields except ``Signature``, each behind its name, names ascending by code point, no
separators, the private key at the end; SHA-1 of the UTF-8 bytes in lower-case hex. Bodies carry pictures of many
megabytes, so the text is never built: it flows into the hash in pieces.
"""

import hashlib
import hmac
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from math import isfinite

Json = Mapping[str, "Json"] | Sequence["Json"] | str | int | float | bool | None

HEADER = "X-Restyle-Signature"
"""Header of the timed signature, ``t=<unix seconds>,v1=<hex>``, which some keys require as well."""
HEADER_SECONDS = 300
"""How far the time in the header may be from the server's, either way."""

_PIECE = 1 << 17
"""Characters of a long string encoded at once: small enough to stay in cache, large enough that the hash dominates."""

SHOWN = 32
"""Characters of the signed text that are shown of either end."""

_Print = Callable[[int | float], str]


@dataclass(frozen=True, slots=True)
class SignedText:
    """What tells two signed texts apart and may be shown: the private key at the end of the text is left out.

    ``length`` is in characters, ``sha256`` in hex and of the text in UTF-8; ``first`` and ``last`` are the ends of the
    text, ``SHOWN`` characters each where it has as many.
    """

    length: int
    sha256: str
    first: str
    last: str


def sign(body: Mapping[str, Json], private_key: str) -> str:
    """The ``Signature`` of ``body`` (a ``Signature`` field in it is left out): 40 lower-case hex digits.

    Raises ValueError for NaN and Infinity, UnicodeEncodeError for a lone surrogate, TypeError for what is not JSON.
    """
    return _sign(body, private_key, print_number)


def matches(body: Mapping[str, Json], private_key: str, signature: str) -> bool:
    """Whether ``signature`` is the signature of ``body``; takes the same time wherever the two differ.

    Against their own rule PICPIK's signers print fractions near zero with an exponent, as their languages do: ``1e-05``
    (Python and Go, below 0.0001) or ``1e-7`` (JavaScript, below 0.000001). Such a signature counts, too.
    """
    prints = (print_number, _print_as_python, _print_as_javascript) if _has_small(body) else (print_number,)
    return any(same_text(_sign(body, private_key, each), signature) for each in prints)


def text_of(body: Mapping[str, Json]) -> str:
    """The whole text that is signed, without the private key at its end. For small bodies; raises as :func:`sign`."""
    return b"".join(_object_pieces(_unsigned(body), print_number)).decode()


def signed_text(body: Mapping[str, Json]) -> SignedText:
    """The text whose SHA-1 :func:`sign` gives, without the private key, as far as it is shown. Raises as it."""
    digest, length, first, last = hashlib.sha256(), 0, "", ""
    for piece in _object_pieces(_unsigned(body), print_number):
        digest.update(piece)
        text = piece.decode()
        length += len(text)
        first = (first + text[:SHOWN])[:SHOWN]
        last = (last + text[-SHOWN:])[-SHOWN:]
    return SignedText(length, digest.hexdigest(), first, last)


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


def _print_as_python(number: int | float) -> str:
    return repr(number) if _is_small(number) else print_number(number)


def _print_as_javascript(number: int | float) -> str:
    """As ``String(number)``: the exponent comes later and has no zero before it."""
    return repr(number).replace("e-0", "e-") if _is_small(number) and abs(number) < 1e-6 else print_number(number)


def _is_small(number: int | float) -> bool:
    """Whether languages print the number with an exponent."""
    return isinstance(number, float) and 0 < abs(number) < 1e-4


def _has_small(value: Json) -> bool:
    if isinstance(value, Mapping):
        return any(map(_has_small, value.values()))
    if isinstance(value, list | tuple):
        return any(map(_has_small, value))
    return isinstance(value, float) and _is_small(value)


def _sign(body: Mapping[str, Json], private_key: str, print_: _Print) -> str:
    digest = hashlib.sha1(usedforsecurity=False)
    for piece in _object_pieces(_unsigned(body), print_):
        digest.update(piece)
    digest.update(private_key.encode())
    return digest.hexdigest()


def _unsigned(body: Mapping[str, Json]) -> dict[str, Json]:
    return {name: value for name, value in body.items() if name != "Signature"}


def _object_pieces(fields: Mapping[str, Json], print_: _Print) -> Iterator[bytes]:
    for name in sorted(fields):
        yield name.encode()
        yield from _value_pieces(fields[name], print_)


def _value_pieces(value: Json, print_: _Print) -> Iterator[bytes]:
    if isinstance(value, str):
        yield from _text_pieces(value)
    elif value is None:
        return
    elif isinstance(value, bool):
        yield b"true" if value else b"false"
    elif isinstance(value, int | float):
        yield print_(value).encode()
    elif isinstance(value, Mapping):
        yield from _object_pieces(value, print_)
    elif isinstance(value, list | tuple):
        for element in value:
            yield from _value_pieces(element, print_)
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
        # How a small one was printed is not known, so that its length would leave open where the next value begins.
        yield b"e%s;" % print_number(value).encode() if _is_small(value) else b"d%d;" % len(print_number(value))
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
