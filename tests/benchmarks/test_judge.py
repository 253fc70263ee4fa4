from benchmarks.judge import worst, worst_pairs

TITLES = {"content": "content ↓", "edges": "edges ↑", "retrieval": "retrieval ↑", "full": "only of large pictures ↑"}
ROWS = {
    "a": {"content": 0.9, "edges": 0.8, "retrieval": 1.0},
    "b": {"content": 0.7, "edges": 0.5, "retrieval": 1.0},
    "c": {"content": 0.8, "edges": 0.6, "retrieval": 0.0},
    "d": {"content": 0.1, "edges": 0.9, "retrieval": 1.0},
}


def test_the_worst_pair_of_every_figure_is_named_with_its_value() -> None:
    assert "| ours | 0.900 (a) | 0.500 (b) |" in worst({"ours": ROWS}, TITLES)


def test_the_worst_pairs_are_those_that_stand_badly_in_all_figures_together() -> None:
    assert worst_pairs(ROWS, TITLES, 3) == ["a", "b", "c"]
    assert worst_pairs({**ROWS, "d": {"content": 0.95, "edges": 0.1, "retrieval": 1.0}}, TITLES, 1) == ["d"]
