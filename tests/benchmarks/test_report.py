from pathlib import Path

import pytest

from benchmarks import pictures, report, sheet
from benchmarks.report import Bar, Section
from benchmarks.speed import flops
from benchmarks.timing import Times, take_turns
from tests.support.pictures import picture


@pytest.mark.parametrize(
    ("bar", "met"),
    [
        (Bar("ceiling", 0.3, 0.35), True),
        (Bar("ceiling", 0.4, 0.35), False),
        (Bar("ceiling reached", 0.35, 0.35), True),
        (Bar("strict ceiling reached", 0.35, 0.35, strict=True), False),
        (Bar("floor", 40, 35, at_least=True), True),
        (Bar("floor", 30, 35, at_least=True), False),
        (Bar("floor reached", 35, 35, at_least=True), True),
        (Bar("strict floor reached", 35, 35, at_least=True, strict=True), False),
    ],
)
def test_bars(bar: Bar, met: bool) -> None:
    assert bar.met is met
    assert ("✓" in bar.mark) is met


def test_the_report_tells_the_machine_the_bars_and_the_sections(tmp_path: Path) -> None:
    path = tmp_path / "out" / "table.md"
    report.write(path, [Section("Speed", ["Quick.\n"], [Bar("engine", 0.5, 0.35, unit="x")])])
    text = path.read_text(encoding="utf-8")
    assert "| processor |" in text
    assert "| onnxruntime |" in text
    assert "| engine | 0.500x | <= 0.350x | ✗ missed |" in text
    assert text.index("## Machine") < text.index("## Bars") < text.index("## Speed") < text.index("Quick.")


@pytest.mark.parametrize(
    ("value", "text"), [(0.3512, "0.351"), (12.34, "12.3"), (1234.6, "1235"), (0.0, "0.00"), (3.0, "3.00")]
)
def test_numbers(value: float, text: str) -> None:
    assert report.number(value) == text


def test_sheets_have_a_row_a_pair_and_turn_the_page(tmp_path: Path) -> None:
    rows = [[picture(100, 640), picture(640, 100)]] * (sheet.ROWS + 1)
    pages = sheet.write(tmp_path, ["photograph", "reference"], rows)
    assert [page.name for page in pages] == ["sheet-1.jpg", "sheet-2.jpg"]
    tall, short = (pictures.read(page) for page in pages)
    assert tall.shape[1] == short.shape[1] == 2 * (sheet.TILE + sheet.GAP) + sheet.GAP
    assert tall.shape[0] - short.shape[0] == (sheet.ROWS - 1) * (sheet.TILE + sheet.GAP)
    assert short.std() > 10


def test_one_pass_of_the_network_at_1024_is_26_gflop() -> None:
    assert flops(1024, 1024) == pytest.approx(26.27e9, rel=1e-3)


def test_contenders_take_turns() -> None:
    order: list[str] = []
    times = take_turns({"a": lambda: order.append("a"), "b": lambda: order.append("b")}, 3)
    assert order == ["a", "b"] * 4
    assert all(len(value.seconds) == 3 and value.best <= value.median for value in times.values())


def test_times_are_readable() -> None:
    assert str(Times((0.25, 0.125, 0.5))) == "125.0 ms (250.0 ms)"
    assert str(Times((2.0,))) == "2.00 s (2.00 s)"
