"""Carry out a Dockerfile without a container runtime: each stage in a clean root of its own, by debootstrap.

``python scripts/image_check.py deploy/Dockerfile`` runs every instruction as it is written, starts what the image would
start, as the user that it would be, asks what its HEALTHCHECK asks, and ends it as its runtime would. It needs root,
and Debian's debootstrap. What differs from the image: the root is Debian's own with its Python, not the Python image's.
"""

import argparse
import json
import os
import re
import shlex
import shutil
import signal
import string
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

PROJECT = Path(__file__).parents[1]
PACKAGES = "python3,python3-venv,ca-certificates"
HEALTH_SECONDS = 120
STOP_SECONDS = 60
PIP = {name: value for name, value in os.environ.items() if name.startswith("PIP_")}
"""How this machine reaches packages is no matter of the image."""
LENT = [Path(each) for each in ("/etc/pip.conf", "/etc/resolv.conf", "/etc/ssl/certs/ca-certificates.crt")]


def instructions(text: str) -> Iterator[tuple[str, str]]:
    """Each instruction and what follows it, lines that go on joined, comments left out."""
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    for line in re.sub(r"\\\n", " ", "\n".join(lines)).splitlines():
        if line.strip():
            name, _, rest = line.strip().partition(" ")
            yield name.upper(), rest.strip()


class Stage:
    """One root, and what the instructions so far have said of what runs in it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.folder = "/"
        self.user = "0"
        self.variables = {"PATH": "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin", "HOME": "/root", "LANG": "C.UTF-8"}
        self.entry: list[str] = []
        self.command: list[str] = []
        self.health: list[str] = []

    def within(self, path: str) -> Path:
        """Where a path of the image is on this machine."""
        return self.root / os.path.join(self.folder, path).lstrip("/")

    def words(self, command: list[str]) -> list[str]:
        """What runs ``command`` in the root, as its user."""
        go = f"cd {shlex.quote(self.folder)} && exec {shlex.join(command)}"
        person = [] if self.user == "0" else [f"--userspec={self.user}:{self.user}"]
        return ["chroot", *person, str(self.root), "/bin/sh", "-c", go]

    def run(self, command: list[str], **more: str) -> None:
        """Run it to its end. Raises CalledProcessError."""
        subprocess.run(self.words(command), check=True, env={**self.variables, **more})


def build(dockerfile: Path, base: Path, work: Path) -> Stage:
    """All stages; returns the last."""
    stages: dict[str, Stage] = {}
    stage = Stage(work)
    for name, rest in instructions(dockerfile.read_text()):
        print(f"== {name} {rest}", flush=True)
        match name:
            case "FROM":
                stage = Stage(work / str(len(stages)))
                subprocess.run(["cp", "-a", str(base), str(stage.root)], check=True)
                for each in LENT:
                    if each.exists():
                        shutil.copy(each, stage.root / str(each).lstrip("/"))
                (stage.root / "usr/local/bin/python").symlink_to("/usr/bin/python3")
                stages[rest.rpartition(" AS ")[2] if " AS " in rest else ""] = stage
            case "ARG":
                key, _, value = rest.partition("=")
                stage.variables.setdefault(key, value)
            case "ENV":
                for each in shlex.split(rest):
                    key, _, value = each.partition("=")
                    stage.variables[key] = string.Template(value).substitute(stage.variables)
            case "WORKDIR":
                stage.folder = rest
                stage.within("").mkdir(parents=True, exist_ok=True)
            case "RUN":
                stage.run(["/bin/sh", "-ec", rest], **PIP)
            case "COPY":
                words = shlex.split(rest)
                source = next((w.partition("=")[2] for w in words if w.startswith("--from=")), None)
                *what, target = [w for w in words if not w.startswith("--")]
                for each in what:
                    origin = PROJECT / each if source is None else stages[source].root / each.lstrip("/")
                    place = stage.within(target)
                    if origin.is_dir():
                        shutil.copytree(origin, place, symlinks=True, dirs_exist_ok=True)
                    else:
                        shutil.copy(origin, place / origin.name if target.endswith("/") else place)
            case "USER":
                stage.user = rest
            case "ENTRYPOINT":
                stage.entry = json.loads(rest)
            case "CMD":
                stage.command = json.loads(rest)
            case "HEALTHCHECK":
                stage.health = json.loads(rest.partition("CMD ")[2])
            case "VOLUME" | "EXPOSE" | "STOPSIGNAL":
                pass
            case _:
                raise SystemExit(f"{name} is not known here; teach it to {Path(__file__).name}")
    return stage


def check(stage: Stage) -> None:
    """Start what the image starts, until it is healthy, and end it. Raises SystemExit for what went wrong."""
    if stage.user == "0":
        raise SystemExit("the image runs as root")
    leftovers = [name for name in ("src", "root/.cache/pip") if any((stage.root / name).glob("*"))]
    if leftovers:
        raise SystemExit(f"the last stage holds what only the build needs: {', '.join(leftovers)}")
    process = subprocess.Popen(stage.words([*stage.entry, *stage.command]), env=stage.variables)
    try:
        end = time.monotonic() + HEALTH_SECONDS
        while subprocess.run(stage.words(stage.health), env=stage.variables, stderr=subprocess.DEVNULL).returncode:
            if process.poll() is not None:
                raise SystemExit(f"it ended by itself with {process.returncode}")
            if time.monotonic() > end:
                raise SystemExit(f"it is not healthy after {HEALTH_SECONDS} s")
            time.sleep(1)
        process.send_signal(signal.SIGTERM)
        status = process.wait(STOP_SECONDS)
    finally:
        if process.poll() is None:
            process.kill()
    if status:
        raise SystemExit(f"SIGTERM ended it with {status}")
    size = int(subprocess.run(["du", "-sm", str(stage.root)], check=True, capture_output=True).stdout.split()[0])
    print(f"well: it was healthy, runs as {stage.user}, and ended in order; the root takes {size:,} MB")


def main() -> None:
    """Parse the command line, and do it all in a folder that is gone afterwards."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dockerfile", type=Path, nargs="?", default=PROJECT / "deploy" / "Dockerfile")
    parser.add_argument("--suite", default="bookworm", help="of Debian, as the base image has it")
    parser.add_argument("--mirror", help="of Debian, unless debootstrap's own")
    parser.add_argument("--base", type=Path, help="a root that debootstrap has made before")
    given = parser.parse_args()
    if os.geteuid() != 0 or shutil.which("debootstrap") is None:
        sys.exit("this needs root, and debootstrap: apt-get install debootstrap")
    with tempfile.TemporaryDirectory(prefix="restyle-image-") as folder:
        base = given.base or Path(folder) / "base"
        if given.base is None:
            command = ["debootstrap", "--variant=minbase", f"--include={PACKAGES}", given.suite, str(base)]
            print("==", *command, flush=True)
            made = subprocess.run([*command, *filter(None, [given.mirror])], stdout=subprocess.PIPE, text=True)
            if made.returncode:
                sys.exit(made.stdout + f"debootstrap ended with {made.returncode}")
        check(build(given.dockerfile, base, Path(folder)))


if __name__ == "__main__":
    main()
