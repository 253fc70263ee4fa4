"""What ``make demo`` runs: two photographs in two styles each, by the signed request of PICPIK's page.

Starts the service on a free port of this machine, makes a key, and from there on does what any program in any language
can do: plain HTTP and twelve lines of signing. Leaves the pictures and a before/style/after sheet, and stops the
service; with ``--stay`` it goes on running with its Studio.
"""

import argparse
import base64
import hashlib
import io
import json
import os
import signal
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
from contact_sheet import contact_sheet
from pictures import PHOTOGRAPHS, photograph, style_picture
from PIL import Image

PAIRS = {"astronaut": ("bay-woodcut", "river-inkwash"), "chelsea": ("vase-pastel", "window-glass")}
"""Photographs, and the styles that suit each: clear lines for a face, colour for fur."""
START_SECONDS = 120
TASK_SECONDS = 300


class DemoError(Exception):
    """Why the demo cannot go on, in one line."""


def sign(body: dict[str, Any], private_key: str) -> str:
    """PICPIK's signature: names and values, names ascending, nothing between, the private key last; SHA-1 in hex."""

    def text(value: Any) -> str:
        if isinstance(value, dict):
            return "".join(name + text(value[name]) for name in sorted(value))
        if isinstance(value, list):
            return "".join(text(item) for item in value)
        if isinstance(value, bool):
            return "true" if value else "false"
        if isinstance(value, float):
            return f"{Decimal(repr(value + 0.0)).normalize():f}"
        return "" if value is None else str(value)

    return hashlib.sha1((text(body) + private_key).encode()).hexdigest()


class Service:
    """The API as a client sees it: one address, a key pair, actions."""

    def __init__(self, address: str, public_key: str, private_key: str) -> None:
        self.http = httpx.Client(base_url=address, timeout=60, trust_env=False)
        self.public_key, self.private_key = public_key, private_key

    def call(self, action: str, **fields: Any) -> dict[str, Any]:
        """Sign and send one action; its answer. Raises ``DemoError`` for any ``RetCode`` but 0."""
        body = {"Action": action, "PublicKey": self.public_key, **fields}
        body["Signature"] = sign(body, self.private_key)
        reply = self.http.post("/", json=body)
        try:
            answer: dict[str, Any] = reply.json()
        except ValueError:
            raise DemoError(
                f"{action} was answered by HTTP {reply.status_code} and no JSON: {reply.text[:200]}"
            ) from None
        if answer["RetCode"] != 0:
            raise DemoError(f"{action} was refused with RetCode {answer['RetCode']}: {answer['Message']}")
        return answer

    def wait(self, task: str) -> dict[str, Any]:
        """Poll until ``task`` ends, showing its progress. Raises ``DemoError`` if it ends badly or not at all."""
        deadline = time.monotonic() + TASK_SECONDS
        shown = ""
        while time.monotonic() < deadline:
            detail: dict[str, Any] = self.call("ListTasksDetails", TaskUIDList=[task])["TaskDetailList"][0]
            line = f"    {detail['Status']:<8} {_bar(float(detail.get('Progress', 0)))}"
            if line != shown:
                print(line, end="\r" if sys.stdout.isatty() else "\n", flush=True)
                shown = line
            if detail["Status"] == "Finished":
                print(end="\n" if sys.stdout.isatty() else "")
                return detail
            if detail["Status"] == "Error":
                raise DemoError(f"task {task} ended with ErrorCode {detail['ErrorCode']}: {detail['ErrorMassage']}")
            time.sleep(0.15)
        raise DemoError(f"task {task} was not finished after {TASK_SECONDS} s")


def _bar(fraction: float) -> str:
    filled = round(24 * fraction)
    return f"[{'#' * filled}{'.' * (24 - filled)}] {fraction:4.0%}"


def _data_url(picture: Image.Image) -> str:
    buffer = io.BytesIO()
    picture.save(buffer, "PNG")
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode()


def _restyle(environment: dict[str, str], *arguments: str) -> str:
    """Run the command ``restyle`` and return what it prints."""
    done = subprocess.run([_command(), *arguments], env=environment, capture_output=True, text=True, timeout=60)
    if done.returncode:
        raise DemoError(f"'restyle {' '.join(arguments)}' failed: {done.stderr.strip() or done.stdout.strip()}")
    return done.stdout


def _command() -> str:
    command = Path(sys.executable).with_name("restyle")
    if not command.exists():
        raise DemoError(f"{command} does not exist; run 'make install' first")
    return str(command)


@contextmanager
def _running_service(out: Path, environment: dict[str, str]) -> Iterator[str]:
    """Start ``restyle serve``, yield its address once it is ready, and stop it at the end."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    address = f"http://127.0.0.1:{port}"
    log = out / "service.log"
    with log.open("wb") as sink:
        process = subprocess.Popen(
            [_command(), "serve", "--port", str(port)], env=environment, stdout=sink, stderr=subprocess.STDOUT
        )
    try:
        _wait_until_ready(address, process, log)
        yield address
    finally:
        process.terminate()
        try:
            process.wait(45)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            print(f"the service did not stop when told and was killed; see {log}", file=sys.stderr)


def _wait_until_ready(address: str, process: "subprocess.Popen[bytes]", log: Path) -> None:
    deadline, reason = time.monotonic() + START_SECONDS, "it does not listen"
    while time.monotonic() < deadline:
        if process.poll() is not None:
            lines = log.read_text(errors="replace").strip().splitlines() or ["it printed nothing"]
            raise DemoError(f"the service stopped with exit code {process.returncode}: {lines[-1]} (all of it: {log})")
        try:
            answer = httpx.get(f"{address}/readyz", timeout=5, trust_env=False)
            if answer.status_code == 200:
                return
            reason = answer.json()["Message"]
        except httpx.TransportError:
            pass  # not listening yet
        time.sleep(0.1)
    raise DemoError(f"the service was not ready after {START_SECONDS} s ({reason}); see {log}")


def _request(raw: Image.Image, style: Image.Image, size: int, strength: float) -> dict[str, Any]:
    """The request of PICPIK's page, field by field."""
    return {
        "MainModel": {"ModelCode": "PICPIK Interior Design"},
        "SubModelList": [],
        "PositivePrompts": ["a picture made by hand"],
        "NegativePrompts": [],
        "TranslatePrompts": True,
        "Seed": -1,
        "Width": size,
        "Height": size,
        "BatchSize": 1,
        "UseMainModelVAE": True,
        "RawImageIndex": 0,
        "StyleImageIndex": 1,
        "StyleReferStrength": strength,
        "ImageList": [_data_url(raw), _data_url(style)],
        "request_uuid": str(uuid.uuid4()),
    }


def _convert(service: Service, name: str, style_name: str, options: argparse.Namespace) -> Image.Image:
    """One photograph in one style, sent, waited for, downloaded and written."""
    print(f"\n{PHOTOGRAPHS[name].title}, in the style of {style_name}")
    fields = _request(photograph(name), style_picture(style_name), options.size, options.strength)
    task = service.call("ApplyReferenceStyle", **fields)["TaskUID"]
    print(f"    ApplyReferenceStyle answered TaskUID {task}")
    detail = service.wait(task)
    for notice in detail.get("Notices", []):
        print(f"    note: {notice}")
    reply = service.http.get(detail["ImgList"][0])
    if reply.status_code != 200:
        raise DemoError(f"{detail['ImgList'][0]} answered HTTP {reply.status_code}")
    target = options.out / f"{name}-{style_name}.png"
    target.write_bytes(reply.content)
    print(
        f"    {target} ({len(reply.content) // 1024} KiB, seed {detail['Seed']}, {detail['ConsumeApiPoint']} credits)"
    )
    with Image.open(target) as picture:
        if picture.size != (options.size, options.size):
            raise DemoError(f"{target} is {picture.size}, asked for {options.size} x {options.size}")
        return picture.convert("RGB")


def run(options: argparse.Namespace) -> None:
    """The whole demo."""
    options.out.mkdir(parents=True, exist_ok=True)
    environment = {**os.environ, "RESTYLE_DATA_DIR": str(options.out / "data")}
    print(f"Starting 'restyle serve' with its data in {environment['RESTYLE_DATA_DIR']}")
    with _running_service(options.out, environment) as address:
        print(f"Ready at {address}")
        key = json.loads(_restyle(environment, "keys", "create", "--json"))
        print(f"Made a key with 'restyle keys create --json': PublicKey {key['PublicKey']}")
        service = Service(address, key["PublicKey"], key["PrivateKey"])
        with service.http:
            print(f"Its Studio, the page for people: {address}/studio")
            rows: list[list[Image.Image]] = []
            for name, styles in PAIRS.items():
                rows.append([photograph(name)])
                rows[-1][0].save(options.out / f"{name}.jpg", quality=90)
                for style in styles:
                    rows[-1] += [style_picture(style), _convert(service, name, style, options)]
        sheet: Path = options.out / "sheet.jpg"
        contact_sheet(rows, cell=min(options.size, 512)).save(sheet, quality=90)
        print(f"\nPhotograph, then style and result, twice: {sheet.absolute()}")
        if options.stay:
            _stay(address, key)


def _stay(address: str, key: dict[str, Any]) -> None:
    """Leave the service running until Ctrl-C or SIGTERM, with the way into its Studio."""
    print(f"\nThe Studio: {address}/studio  Ctrl-C ends it. Its history has these pictures; sign in with")
    print(f"  PublicKey   {key['PublicKey']}\n  PrivateKey  {key['PrivateKey']}", flush=True)
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(0))
    with suppress(KeyboardInterrupt):
        signal.pause()


def main() -> None:
    """Run the demo; exit code 1 and one line on standard error if anything fails."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--out", type=Path, default=Path("out/demo"), help="folder for the pictures and the service's data"
    )
    parser.add_argument("--size", type=int, default=1024, help="width and height of the results")
    parser.add_argument("--strength", type=float, default=0.7, help="StyleReferStrength, 0..1")
    parser.add_argument("--stay", action="store_true", help="leave the service and its Studio running until Ctrl-C")
    options = parser.parse_args()
    started = time.monotonic()
    try:
        run(options)
    except (DemoError, httpx.HTTPError, OSError, subprocess.SubprocessError) as error:
        sys.exit(f"demo failed: {error}")
    print(f"Done in {time.monotonic() - started:.0f} s.")


if __name__ == "__main__":
    main()
