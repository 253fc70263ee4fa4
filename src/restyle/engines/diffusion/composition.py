"""What the Stable Diffusion WebUI's prompts say of time and of several prompts at once, said without either.

That program switches ``[a:b:0.5]`` after half of the steps, alternates ``[a|b]`` with every step, and evaluates the
prompts around ``AND`` one by one. Here a picture is drawn with one prompt from beginning to end: the one that such a
prompt comes to, and a sentence that says so.
"""

import re

ESCAPED = r"\\."
INNERMOST = re.compile(rf"\[((?:{ESCAPED}|[^\[\]\\])*)\]")
NUMBER = re.compile(r"\s*\d*\.?\d+\s*")
AND = re.compile(r"\s*\bAND\b\s*")
SHARE = re.compile(r"^(.*?):\s*([+-]?(?:\d+\.?\d*|\.\d+))\s*$", re.DOTALL)
KEPT = "\x00"
"""Stands, with a number, for brackets that mean a weight."""
SHOWN = 60


def composed(prompt: str) -> tuple[str, tuple[str, ...]]:
    """``prompt`` as one prompt, and a sentence for each piece of it that was read so."""
    notices: list[str] = []
    kept: list[str] = []

    def read(match: re.Match[str]) -> str:
        parts = _split(match[1], ":")
        if len(parts) in (2, 3) and NUMBER.fullmatch(parts[-1]):
            notices.append(
                f'"{_restored(match[0], kept)[:SHOWN]}" does not change while drawing: its last text is used'
            )
            return parts[-2]
        parts = _split(match[1], "|")
        if len(parts) > 1:
            notices.append(f'"{_restored(match[0], kept)[:SHOWN]}" does not alternate while drawing: all of it is used')
            return ", ".join(part.strip() for part in parts if part.strip())
        kept.append(match[0])
        return f"{KEPT}{len(kept) - 1}{KEPT}"

    before, text = "", prompt.replace(KEPT, "")
    while text != before:
        before, text = text, INNERMOST.sub(read, text)
    text = _restored(text, kept)
    parts = [part for part in AND.split(text) if part.strip()]
    if len(parts) > 1:
        notices.append("AND joins prompts as a comma does: they are not evaluated one by one")
        text = ", ".join(_weighed(part) for part in parts)
    return text, tuple(notices)


def _split(text: str, mark: str) -> list[str]:
    """``text`` at every ``mark`` that stands in no round bracket."""
    parts, depth, escaped = [""], 0, False
    for character in text:
        if not escaped and character == mark and depth == 0:
            parts.append("")
            continue
        if not escaped and character in "()":
            depth = max(0, depth + (1 if character == "(" else -1))
        escaped = character == "\\" and not escaped
        parts[-1] += character
    return parts


def _restored(text: str, kept: list[str]) -> str:
    while KEPT in text:
        text = re.sub(f"{KEPT}(\\d+){KEPT}", lambda match: kept[int(match[1])], text)
    return text


def _weighed(part: str) -> str:
    """A prompt of several with its share, ``a dog :0.5``, as a weight."""
    share = SHARE.match(part.strip())
    return f"({share[1].strip()}:{share[2]})" if share and share[1].strip() else part.strip()
