import hashlib
import hmac
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from restyle.wire.signature import digest_body, header_time, matches, print_number, sign, sign_header, signed_text
from tests.support.vectors import PRIVATE_KEY, PUBLIC_KEY, VECTORS


@pytest.mark.parametrize(("fields", "expected"), VECTORS)
def test_the_published_vectors(fields: dict[str, Any], expected: str) -> None:
    body = {"PublicKey": PUBLIC_KEY, **fields}
    assert sign(body, PRIVATE_KEY) == expected
    assert matches({**body, "Signature": expected}, PRIVATE_KEY, expected)


@pytest.mark.parametrize(
    ("number", "printed"),
    [
        (0, "0"),
        (-0.0, "0"),
        (42.0, "42"),
        (-1, "-1"),
        (7.5, "7.5"),
        (0.1, "0.1"),
        (1e-05, "0.00001"),
        (1.5e-07, "0.00000015"),
        (-2.5e-10, "-0.00000000025"),
        (1e16, "10000000000000000"),
        (1e22, "10000000000000000000000"),
        (1e23, "100000000000000000000000"),
        (123456789.125, "123456789.125"),
        (10**40, "1" + "0" * 40),
        (5e-324, "0." + "0" * 323 + "5"),
    ],
)
def test_numbers_print_plainly(number: float, printed: str) -> None:
    assert print_number(number) == printed


@pytest.mark.parametrize("number", [float("nan"), float("inf"), float("-inf")])
def test_what_is_no_number_is_not_signed(number: float) -> None:
    with pytest.raises(ValueError, match="cannot be signed"):
        sign({"x": number}, "k")


def test_what_is_not_json_is_not_signed() -> None:
    with pytest.raises(TypeError, match="bytes is not a JSON value"):
        sign({"x": [b"\0"]}, "k")


def slow_text(value: Any) -> str:
    """The rule, read naively: the whole text, in one string, with digits moved by hand."""
    if value is None:
        return ""
    if value is True:
        return "true"
    if value is False:
        return "false"
    if isinstance(value, str):
        return value
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        return slow_float(value)
    if isinstance(value, list):
        return "".join(slow_text(element) for element in value)
    return "".join(name + slow_text(value[name]) for name in sorted(value, key=lambda name: [ord(c) for c in name]))


def slow_float(value: float) -> str:
    sign_text, digits, exponent = Decimal(repr(value)).as_tuple()
    assert isinstance(exponent, int)
    text = "".join(map(str, digits))
    text = text + "0" * exponent if exponent >= 0 else text.rjust(1 - exponent, "0")
    whole, part = (text, "") if exponent >= 0 else (text[:exponent], text[exponent:].rstrip("0"))
    whole = whole.lstrip("0") or "0"
    unsigned = f"{whole}.{part}" if part else whole
    return f"-{unsigned}" if sign_text and unsigned != "0" else unsigned


def slow_sign(body: dict[str, Any], private_key: str) -> str:
    fields = {name: value for name, value in body.items() if name != "Signature"}
    return hashlib.sha1((slow_text(fields) + private_key).encode()).hexdigest()


texts = st.text(st.characters(exclude_categories=["Cs"]))
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=20,
)
bodies = st.dictionaries(st.sampled_from(["Signature", "signature", "Action", "_", "中"]) | texts, values, max_size=6)


@given(bodies, texts)
def test_signatures_agree_with_an_independent_reading_of_the_rule(body: dict[str, Any], private_key: str) -> None:
    assert sign(body, private_key) == slow_sign(body, private_key)


@given(bodies)
def test_the_order_of_fields_and_the_signature_itself_do_not_matter(body: dict[str, Any]) -> None:
    turned = dict(reversed(body.items()))
    assert sign({**turned, "Signature": "anything"}, "k") == sign(body, "k")


def test_long_texts_sign_like_short_ones_across_every_piece() -> None:
    text = "é中😀a" * 200_000
    assert sign({"x": text}, "k") == slow_sign({"x": text}, "k")


def test_names_ascend_by_code_point_not_by_utf16() -> None:
    assert sign({"😀": "2", "￼": "1"}, "") == hashlib.sha1("￼1😀2".encode()).hexdigest()


@given(bodies, bodies)
def test_digests_differ_exactly_where_bodies_differ(one: dict[str, Any], other: dict[str, Any]) -> None:
    same = slow_shape(one) == slow_shape(other)
    assert (digest_body(one, sign(one, "k")) == digest_body(other, sign(other, "k"))) is same


def slow_shape(value: Any) -> object:
    """A body as a nest of tuples that are equal for equal bodies only: bool is not int, and 1.0 is 1."""
    if isinstance(value, dict):
        fields = {name: each for name, each in value.items() if name != "Signature"}
        return ("object", tuple((name, slow_shape(fields[name])) for name in sorted(fields)))
    if isinstance(value, list):
        return ("array", tuple(slow_shape(each) for each in value))
    if isinstance(value, bool):
        return ("bool", value)
    if isinstance(value, int | float):
        return ("number", slow_text(value))
    return (type(value).__name__, value)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"x": ["ab", "c"]}, {"x": ["a", "bc"]}),
        ({"x": "1"}, {"x": 1}),
        ({"x": ""}, {"x": None}),
        ({"x": []}, {"x": ""}),
        ({"x": "y1"}, {"xy": "1"}),
        ({"x": {"a": "b"}}, {"x": ["a", "b"]}),
        ({"x": True}, {"x": "true"}),
    ],
)
def test_bodies_that_sign_alike_have_digests_of_their_own(one: dict[str, Any], other: dict[str, Any]) -> None:
    assert sign(one, "k") == sign(other, "k")
    assert digest_body(one, sign(one, "k")) != digest_body(other, sign(other, "k"))


def test_one_wrong_character_is_told() -> None:
    right = sign({"a": 1}, "k")
    for at in range(len(right)):
        assert not matches({"a": 1}, "k", right[:at] + ("0" if right[at] != "0" else "1") + right[at + 1 :])
    for wrong in ("", right.upper(), right[:-1], right + "0", "é" * 40):
        assert not matches({"a": 1}, "k", wrong)


def test_the_timed_header_is_the_hmac_of_time_and_bytes() -> None:
    mac = hmac.new(b"k", b'12.{"a":1}', hashlib.sha256).hexdigest()
    assert sign_header(b'{"a":1}', "k", 12) == f"t=12,v1={mac}"
    assert header_time(f"t=12,v1={mac}") == 12


@pytest.mark.parametrize(
    "header",
    ["", "t=12", "t=,v1=a", "t=-1,v1=a", "t=1.5,v1=a", "v1=a,t=1", "t=1,v2=a", "t=²,v1=a", "t=" + "9" * 40 + ",v1=a"],
)
def test_a_header_of_another_form_is_refused(header: str) -> None:
    with pytest.raises(ValueError, match="not"):
        header_time(header)


def signed_as(text: str) -> str:
    """The signature of a signer whose text is ``text``, before the private key."""
    return hashlib.sha1(f"{text}{PRIVATE_KEY}".encode()).hexdigest()


@pytest.mark.parametrize("printed", ["0.00001", "1e-05"])
def test_a_small_fraction_counts_as_each_published_signer_prints_it(printed: str) -> None:
    body: dict[str, Any] = {"A": "x", "B": {"StyleReferStrength": 1e-05, "W": [0.5]}}
    assert matches(body, PRIVATE_KEY, signed_as(f"AxBStyleReferStrength{printed}W0.5"))
    assert not matches(body, PRIVATE_KEY, signed_as("AxBStyleReferStrength1e-5W0.5"))


@pytest.mark.parametrize(
    ("number", "printed"),
    [(1e-7, "1e-7"), (1e-7, "1e-07"), (-2.5e-10, "-2.5e-10"), (2.5e-7, "2.5e-7"), (1e-12, "1e-12"), (1e-6, "0.000001")],
)
def test_smaller_ones_too(number: float, printed: str) -> None:
    assert matches({"x": number}, PRIVATE_KEY, signed_as(f"x{printed}"))


@pytest.mark.parametrize(("number", "printed"), [(0.0001, "1e-04"), (1e-6, "1e-6"), (1e22, "1e+22"), (0.5, "5e-01")])
def test_no_language_prints_these_so(number: float, printed: str) -> None:
    assert not matches({"x": number}, PRIVATE_KEY, signed_as(f"x{printed}"))


def test_bodies_with_small_fractions_are_told_apart_however_they_were_signed() -> None:
    one: dict[str, Any] = {"A": [1e-05, "", "0.5"], "B": ""}
    signature = signed_as("A1e-050.5B")
    other: dict[str, Any] = {"A": [1e-05, "0.5", ""], "B": ""}
    assert matches(one, PRIVATE_KEY, signature)
    assert matches(other, PRIVATE_KEY, signature)
    assert digest_body(one, signature) != digest_body(other, signature)


@given(st.dictionaries(st.text(max_size=3), st.text(max_size=80), max_size=3))
def test_the_signed_text_is_shown_by_its_ends_and_hash_without_the_key(body: dict[str, str]) -> None:
    text = slow_text({name: value for name, value in body.items() if name != "Signature"})
    shown = signed_text(body)
    assert (shown.length, shown.first, shown.last) == (len(text), text[:32], text[-32:])
    assert shown.sha256 == hashlib.sha256(text.encode()).hexdigest()
