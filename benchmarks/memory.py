"""Peak memory of processes, as the kernel counted it."""

import subprocess
import sys
from pathlib import Path

import psutil

MB = 1_000_000


def peak(pid: int | str = "self") -> int:
    """Most bytes a process ever had in memory (Linux; not ``ru_maxrss``, which a child inherits from its parent).

    Read here since psutil knows what a process has now, not what it had at most.
    """
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    raise RuntimeError(f"/proc/{pid}/status has no VmHWM: has process {pid} ended?")


def current(pid: int | None = None) -> int:
    """Bytes a process, this one where none is named, has in memory now."""
    return int(psutil.Process(pid).memory_info().rss)


def peak_of_engine(size: int) -> int:
    """Peak bytes of a fresh process that loads the engine and draws one picture of ``size`` squared."""
    command = [sys.executable, "-m", "benchmarks.memory", str(size)]
    return int(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def main() -> None:
    """Draw once, print the peak in bytes."""
    from benchmarks.speed import convert, noise
    from restyle.conversion.draw import machine_of
    from restyle.engines.painter.engine import load
    from restyle.settings import Settings

    size = int(sys.argv[1])
    convert(load(machine_of(Settings(), own_process=True)), noise(size), noise(512))()
    print(peak())


if __name__ == "__main__":
    main()
