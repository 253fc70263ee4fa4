"""Peak memory of processes, as the kernel counted it."""

import subprocess
import sys
from pathlib import Path

MB = 1_000_000


def peak(pid: int | str = "self") -> int:
    """Most bytes a process ever had in memory (Linux; not ``ru_maxrss``, which a child inherits from its parent)."""
    return _status(pid, "VmHWM")


def current(pid: int | str = "self") -> int:
    """Bytes a process has in memory now."""
    return _status(pid, "VmRSS")


def _status(pid: int | str, name: str) -> int:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1]) * 1024
    raise RuntimeError(f"/proc/{pid}/status has no {name}: has process {pid} ended?")


def peak_of_engine(size: int) -> int:
    """Peak bytes of a fresh process that loads the engine and draws one picture of ``size`` squared."""
    command = [sys.executable, "-m", "benchmarks.memory", str(size)]
    return int(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def main() -> None:
    """Draw once, print the peak in bytes."""
    from benchmarks.machine import machine
    from benchmarks.speed import convert, noise
    from restyle.engines.painter.engine import load

    size = int(sys.argv[1])
    convert(load(machine()), noise(size), noise(512))()
    print(peak())


if __name__ == "__main__":
    main()
