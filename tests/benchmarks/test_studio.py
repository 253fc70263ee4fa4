"""What the part ``studio`` reads from a browser's trace."""

from typing import Any

from benchmarks.studio import longest_task


def test_the_longest_task_is_that_of_the_pages_main_thread() -> None:
    def named(pid: int, tid: int, name: str) -> dict[str, Any]:
        return {"name": "thread_name", "ph": "M", "pid": pid, "tid": tid, "args": {"name": name}}

    def task(pid: int, tid: int, microseconds: int) -> dict[str, Any]:
        return {"name": "RunTask", "ph": "X", "pid": pid, "tid": tid, "dur": microseconds}

    events = [named(1, 1, "CrBrowserMain"), named(2, 1, "CrRendererMain"), named(2, 2, "Compositor")]
    events += [task(1, 1, 900_000), task(2, 2, 800_000), task(2, 1, 40_000), task(2, 1, 70_000)]
    assert longest_task(events) == 0.07
    assert longest_task([]) == 0
