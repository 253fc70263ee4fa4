"""``python -m benchmarks.mutants --count 20000 --seed 1``: damaged pictures, thrown at a real service.

The short form of it is in the tests. Exit code 1 where the service noticed anything.
"""

import tempfile
import time
from pathlib import Path
from typing import Annotated

import typer

from tests.support.mutants import Barrage, Body, originals
from tests.support.service import running

MIB = 1024 * 1024
STEP = 1000
GROWTH = 48 * MIB
"""Memory that the server may have more after the barrage than after its first thousand."""


def barrage(
    count: Annotated[int, typer.Option(min=1, help="Pictures to send.")] = 20_000,
    seed: Annotated[int, typer.Option(help="Where chance begins.")] = 1,
) -> None:
    """Send them, and say how each format was answered, and what became of the service."""
    with (
        tempfile.TemporaryDirectory() as folder,
        running(
            Path(folder), workers=1, max_unfinished_tasks=10**6, max_queued_tasks=10**6, requests_per_minute=10**6,
            requests_per_address=10**6,
        ) as service,
    ):  # fmt: skip
        sent = Barrage(service)
        began, before = time.monotonic(), Body.of(service)
        for number, begin in enumerate(range(0, count, STEP)):
            sent.send(seed + number, min(STEP, count - begin))
            if number == 0:
                before = Body.of(service)
            total = sum(sent.answers.values())
            typer.echo(f"{total:,} sent, {len(sent.accepted):,} accepted, {len(sent.strange)} strange", err=True)
        ended = sent.outcomes()
        after, seconds = Body.of(service), time.monotonic() - began
        broken = service.log.read_text().count("internal error")
        same = service.process.poll() is None and before.workers == after.workers
    typer.echo("| Format | Sent | Refused with 4003 | Accepted |\n|---|---|---|---|")
    for kind in sorted(originals()):
        refused, accepted = sent.answers[kind, 4003], sent.answers[kind, 0]
        typer.echo(f"| {kind} | {refused + accepted:,} | {refused:,} | {accepted:,} |")
    finished = ended["Finished", 0]
    grown = after.memory - before.memory
    typer.echo(
        f"\n{sum(sent.answers.values()):,} pictures from seed {seed} in {seconds:.0f} s: {len(sent.strange)} strange "
        f"answers, {broken} internal errors; of {len(sent.accepted):,} accepted {finished:,} were drawn; memory of the "
        f"server {grown / MIB:+.1f} MiB, handles {after.handles - before.handles:+d}, the same processes: {same}"
    )
    for each in sent.strange[:20]:
        typer.echo(each, err=True)
    well = not sent.strange and not broken and same and finished == len(sent.accepted) and grown < GROWTH
    raise typer.Exit(0 if well else 1)


if __name__ == "__main__":
    typer.run(barrage)
