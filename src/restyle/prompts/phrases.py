"""Units of a phrase and their English order."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from restyle.prompts.lexicon import ADJECTIVE, DROPPED, GENITIVE, NOUN, PREPOSITION, QUANTITY, UNKNOWN

HEAD_FIRST = frozenset({"fr", "es", "it", "pt", "vi", "id", "ms", "th"})
"""Adjectives follow their noun."""

STACKING = frozenset({"vi", "id", "ms", "th"})
"""Nouns qualify the noun before them without a word between."""

_PLACES = frozenset({"in", "on", "over", "under", "next to", "in front of", "behind", "between"})

POSTPOSED = {
    "zh": _PLACES,
    **dict.fromkeys(
        ("ja", "ko", "tr"), _PLACES | {"with", "without", "for", "by", "from", "against", "through", "full of"}
    ),
}
"""Relations that stand behind their noun, by language."""

BARE_GENITIVES = frozenset({"de", "d", "di"})
"""Without an article, "X de Y" is a kind of X: English says "Y X". With one it is "X of Y"; the source is emptied."""

MOST_STACKED = 3


@dataclass(frozen=True, slots=True)
class Unit:
    """A piece of a prompt: its kind as in the lexicon, its English, and what stood there."""

    kind: str
    english: str
    source: str


def english_order(units: Sequence[Unit], language: str) -> list[Unit]:
    """The units of one phrase as English orders them; dropped ones are gone."""
    ordered: list[Unit] = []
    for unit in units:
        if unit.kind != DROPPED:
            ordered.append(unit)
        elif ordered and ordered[-1].kind == GENITIVE:
            ordered[-1] = replace(ordered[-1], source="")
    if language in HEAD_FIRST:
        ordered = _adjectives_first(ordered)
        ordered = _unstack(ordered) if language in STACKING else _kinds_first(ordered)
    elif language in POSTPOSED:
        ordered = _relations_first(ordered, POSTPOSED[language])
    return ordered


def _adjectives_first(units: list[Unit]) -> list[Unit]:
    """Noun with the adjectives after it, also joined by "and", becomes one noun with them before it."""
    out: list[Unit] = []
    position = 0
    while position < len(units):
        unit = units[position]
        position += 1
        if unit.kind != NOUN:
            out.append(unit)
            continue
        adjectives: list[str] = []
        while position < len(units):
            after = units[position]
            if after.kind == ADJECTIVE:
                adjectives.append(after.english)
            elif (
                adjectives
                and after.english == "and"
                and position + 1 < len(units)
                and units[position + 1].kind == ADJECTIVE
            ):
                adjectives.append("and")
            else:
                break
            position += 1
        out.append(replace(unit, english=" ".join([*adjectives, unit.english])))
    return out


def _kinds_first(units: list[Unit]) -> list[Unit]:
    """ "Lamp de table de wood" becomes "wood table lamp"."""
    out: list[Unit] = []
    position = 0
    while position < len(units):
        unit = units[position]
        if (
            unit.kind == GENITIVE
            and unit.source in BARE_GENITIVES
            and out
            and out[-1].kind == NOUN
            and position + 1 < len(units)
            and units[position + 1].kind == NOUN
        ):
            kind = units[position + 1]
            out[-1] = replace(out[-1], english=f"{kind.english} {out[-1].english}")
            position += 2
            continue
        out.append(unit)
        position += 1
    return out


def _unstack(units: list[Unit]) -> list[Unit]:
    """A short run of nouns is turned round: each qualifies the one before it."""
    out: list[Unit] = []
    run: list[Unit] = []
    for unit in [*units, None]:
        if unit and unit.kind == NOUN:
            run.append(unit)
            continue
        out += reversed(run) if len(run) <= MOST_STACKED else run
        run = []
        if unit:
            out.append(unit)
    return out


def _relations_first(units: list[Unit], postposed: frozenset[str]) -> list[Unit]:
    """A relation behind its noun phrase goes before it."""
    out: list[Unit] = []
    for unit in units:
        if unit.kind == PREPOSITION and unit.english in postposed:
            start = len(out)
            while start > 0 and out[start - 1].kind in (NOUN, ADJECTIVE, QUANTITY, UNKNOWN):
                start -= 1
            out.insert(start, unit)
        else:
            out.append(unit)
    return out
