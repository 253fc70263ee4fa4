"""Who sends this request, and may they? Every check between a parsed body and the fields of its action."""

import json
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass

from restyle.accounts.keys import Key, KeyStore
from restyle.http.limits import Rate
from restyle.http.table import ACTIONS, Action
from restyle.wire.codes import Code
from restyle.wire.errors import RestyleError
from restyle.wire.fields import shown, unavailable
from restyle.wire.signature import (
    HEADER,
    HEADER_SECONDS,
    SHOWN,
    Json,
    header_time,
    matches,
    same_text,
    sign_header,
    signed_text,
)

NAMED = re.compile(rb'"PublicKey"\s*:\s*"([A-Za-z0-9]{1,64})"')


@dataclass(frozen=True, slots=True)
class Proof:
    """The timed signature of a request, if it carries one: the header's value and the exact bytes it signs."""

    header: str
    raw_body: bytes | bytearray


def action_of(body: Mapping[str, Json]) -> Action:
    """The action that ``body`` names. Raises RestyleError: 220, 230, 161."""
    name = _text(body, "Action")
    if name not in ACTIONS:
        known = ", ".join(ACTIONS)
        raise RestyleError(
            Code.ACTION_NOT_FOUND, f"no action is called {shown(name)}; there are {known}", field="Action"
        )
    return ACTIONS[name]


def names_key(head: bytes, keys: KeyStore) -> bool:
    """Whether the beginning of a body seems to name a key that is in use.

    That decides who waits longer and nothing else: fields come in any order, and a public key is no secret.
    """
    named = NAMED.search(head)
    key = keys.find(named[1].decode()) if named is not None else None
    return key is not None and not key.disabled


def admit(body: Mapping[str, Json], keys: KeyStore, rate: Rate, proof: Proof | None) -> Key:
    """The key whose owner sent ``body``.

    Raises RestyleError: 220 and 230 for PublicKey and Signature, 172 for a key that is unknown or disabled (alike, so
    that nobody learns which), 171, 4010; Refused (429, 4008) when the key has no turn left, which only its owner can
    bring about, because the signature is checked before.
    """
    public_key = _text(body, "PublicKey")
    signature = _text(body, "Signature")
    key = keys.find(public_key) if public_key.isascii() and public_key.isprintable() else None
    if key is None or key.disabled:
        raise RestyleError(Code.KEY_NOT_FOUND, "the public key is unknown or disabled", field="PublicKey")
    if not matches(body, key.private_key, signature):
        raise _mismatch(body)
    if proof is not None:
        _check_proof(proof, key)
    elif key.requires_timestamp:
        raise RestyleError(
            Code.MISSING_PARAMETER,
            f"missing header {HEADER}, which this key requires: t=<unix seconds>,v1=<hex>",
            field=HEADER,
        )
    rate.take(key.public_key)
    return key


def _mismatch(body: Mapping[str, Json]) -> RestyleError:
    """Says what was to be signed, so that a client can lay its own text beside it. All of it came from the client."""
    text = signed_text(body)
    return RestyleError(
        Code.SIGNATURE_MISMATCH,
        "the signature does not match; it is the SHA-1 of all other fields, names ascending, and the private key. "
        f"Without the key the text has {text.length} characters and the SHA-256 {text.sha256}; its first {SHOWN} are "
        f"{json.dumps(text.first, ensure_ascii=False)}, its last {json.dumps(text.last, ensure_ascii=False)}",
        field="Signature",
    )


def _check_proof(proof: Proof, key: Key) -> None:
    try:
        sent = header_time(proof.header)
    except ValueError as error:
        raise RestyleError(Code.PARAMETER_NOT_AVAILABLE, f"header {HEADER} is {error}", field=HEADER) from None
    if not same_text(sign_header(proof.raw_body, key.private_key, sent), proof.header):
        raise RestyleError(
            Code.SIGNATURE_MISMATCH,
            f'header {HEADER} does not match; v1 is the HMAC-SHA256 of "t.body" under the private key',
            field=HEADER,
        )
    if abs(time.time() - sent) > HEADER_SECONDS:
        raise RestyleError(
            Code.REQUEST_REUSED,
            f"the time in header {HEADER} is more than {HEADER_SECONDS} s from the server's; sign again now",
            field=HEADER,
        )


def _text(body: Mapping[str, Json], name: str) -> str:
    """A required String. Missing, null and empty are one: they sign alike."""
    value = body.get(name)
    if value is None or value == "":
        raise RestyleError(Code.MISSING_PARAMETER, f"missing parameter {name}: give a String", field=name)
    if not isinstance(value, str):
        raise unavailable(name, f"it is {shown(value)}; give a String")
    return value
