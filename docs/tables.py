"""Write the tables of the documentation from the code: ``python docs/tables.py`` renews them.

They are those of ``docs/operations.md`` and ``docs/recipes.md``. A test checks that the documents and the code agree;
after changing a setting, a code or a recipe, run this.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from restyle.engines.diffusion.strength import COLUMNS, sources, strengths
from restyle.settings import Settings
from restyle.wire.codes import Code

OPERATIONS = Path(__file__).with_name("operations.md")
RECIPES = Path(__file__).with_name("recipes.md")


def settings_table() -> str:
    """Every setting: its variable, default, range and meaning, as Markdown."""
    rows = ["| Variable | Default | Range | Meaning |", "|---|---|---|---|"]
    for name, schema in Settings.model_json_schema()["properties"].items():
        default = schema["default"]
        shown = "" if default is None else f"`{default}`" if default != "" else "empty"
        rows.append(f"| `RESTYLE_{name.upper()}` | {shown} | {_range(schema)} | {schema['description']} |")
    return "\n".join(rows)


def _range(schema: dict[str, Any]) -> str:
    if "anyOf" in schema:  # what may also be left out
        schema = schema["anyOf"][0]
    if "enum" in schema:
        choices = schema["enum"]
        assert isinstance(choices, list)
        return ", ".join(f"`{choice}`" for choice in choices)
    low = f"{schema['minimum']}" if "minimum" in schema else None
    above = f"> {schema['exclusiveMinimum']}" if "exclusiveMinimum" in schema else None
    if "maximum" in schema:
        return f"{low} .. {schema['maximum']}"
    return f"from {low}" if low is not None else above or ""


def codes_table() -> str:
    """Every code: its number, name and meaning, as Markdown."""
    rows = ["| Code | Name | Meaning |", "|---|---|---|"]
    rows += [f"| {code.value} | `{code.name}` | {code.meaning} |" for code in Code]
    return "\n".join(rows)


def recipes_table() -> str:
    """Every number that diffusion draws with, and where it is from, as Markdown."""
    parts: list[str] = []
    begun = ""
    for place, name, value, source in sources():
        if place != begun:
            begun = place
            heads = ["", "| Number | " + " | ".join(f"{each:g}" for each in strengths()) + " | Source |"]
            parts += [f"\n### {place}", *heads, "|---" * (len(strengths()) + 2) + "|"]
        if name in COLUMNS:
            cells = [f"{each:g}" for each in value]
        else:
            shown = ", ".join(map(str, value)) if isinstance(value, list) else f"{value:g}"
            cells = [shown or "none", *[""] * (len(strengths()) - 1)]
        parts.append(f"| `{name}` | {' | '.join(cells)} | {source} |")
    return "\n".join(parts).strip()


TABLES: dict[str, Callable[[], str]] = {
    "settings": settings_table,
    "codes": codes_table,
    "recipes": recipes_table,
}


def renewed(text: str, *names: str) -> str:
    """``text`` with what stands between the marks of these tables made anew; without names, those of operations.

    Raises ``ValueError`` for a mark that is missing.
    """
    for name in names or ("settings", "codes"):
        table = TABLES[name]()
        start, end = f"<!-- table: {name} -->", f"<!-- end: {name} -->"
        if text.count(start) != 1 or text.count(end) != 1:
            raise ValueError(f"{start} and {end} must stand once each in the document")
        before, rest = text.split(start)
        text = f"{before}{start}\n\n{table}\n\n{end}{rest.split(end)[1]}"
    return text


if __name__ == "__main__":
    OPERATIONS.write_text(renewed(OPERATIONS.read_text()))
    RECIPES.write_text(renewed(RECIPES.read_text(), "recipes"))
    print(f"renewed {OPERATIONS} and {RECIPES}")
