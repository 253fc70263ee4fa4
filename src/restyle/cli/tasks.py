"""``restyle tasks``: those of an account at a service."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from restyle.cli import results
from restyle.cli.output import (
    AsJson,
    PrivateKey,
    PublicKey,
    Url,
    need_keys,
    progress,
    say,
    say_json,
    say_table,
    show_help,
    shown,
)

if TYPE_CHECKING:
    from restyle.client.sync import Client
    from restyle.client.task import Task

app = typer.Typer(help="Tasks at a service: what runs, how one stands, its pictures.", invoke_without_command=True)
app.callback()(show_help)
Uid = Annotated[str, typer.Argument(help="TaskUID.", show_default=False)]
HEADS = ("TaskUID", "Status", "Progress", "Queue", "Credits", "Error")


@app.command("list")
def list_tasks(
    url: Url = None, public_key: PublicKey = None, private_key: PrivateKey = None, as_json: AsJson = False
) -> None:
    """Tasks that have not ended."""
    with _client(url, public_key, private_key) as client:
        uids = client.running()
        tasks = [task for at in range(0, len(uids), 100) for task in client.details(uids[at : at + 100])]
    _say(tasks, as_json)


@app.command()
def show(
    uids: Annotated[list[str], typer.Argument(help="TaskUIDs.", show_default=False)],
    url: Url = None,
    public_key: PublicKey = None,
    private_key: PrivateKey = None,
    as_json: AsJson = False,
) -> None:
    """How tasks stand."""
    with _client(url, public_key, private_key) as client:
        tasks = [task for at in range(0, len(uids), 100) for task in client.details(uids[at : at + 100])]
    _say(tasks, as_json)


@app.command()
def cancel(
    uid: Uid, url: Url = None, public_key: PublicKey = None, private_key: PrivateKey = None, as_json: AsJson = False
) -> None:
    """Stop a task; its credits return."""
    with _client(url, public_key, private_key) as client:
        client.cancel(uid)
    if as_json:
        say_json({"TaskUID": uid, "Terminated": True})
    else:
        say(f"{uid} is terminated")


@app.command()
def fetch(
    uid: Uid,
    output: Annotated[Path, typer.Option("--output", "-o", help="The folder to write into.")] = Path(),
    format: Annotated[results.Format, typer.Option(help="What pictures are written as.")] = results.Format.PNG,
    quality: results.Quality = results.QUALITY,
    overwrite: results.Overwrite = False,
    url: Url = None,
    public_key: PublicKey = None,
    private_key: PrivateKey = None,
    as_json: AsJson = False,
) -> None:
    """Wait for a task, and write its pictures as TASKUID-1.png and so on."""
    suffix = results.SUFFIX[format]
    results.check([output / f"{uid}-1{suffix}"], overwrite=overwrite)
    with _client(url, public_key, private_key) as client, progress(uid, shown=not as_json) as report:
        images = client.download(client.wait(uid, on_progress=report))
    paths = tuple(output / f"{uid}-{number}{suffix}" for number in range(1, len(images) + 1))
    results.write(images, paths, quality, overwrite=overwrite)
    if as_json:
        say_json([str(path) for path in paths])
    else:
        for path in paths:
            say(shown(path))


@contextmanager
def _client(url: str | None, public_key: str | None, private_key: str | None) -> "Iterator[Client]":
    from restyle.client.sync import Client

    if not url:
        raise typer.BadParameter("--url or RESTYLE_URL says which service; tasks are those of a service")
    with Client(url, *need_keys(public_key, private_key)) as client:
        yield client


def _say(tasks: "list[Task]", as_json: bool) -> None:
    if as_json:
        say_json([_record(task) for task in tasks])
        return
    rows = [
        (
            task.uid,
            task.status,
            f"{task.progress:.0%}",
            "-" if task.queue_position is None else task.queue_position,
            task.points,
            f"{task.error_code} {task.error_message}" if task.error_code else "-",
        )
        for task in tasks
    ]
    say_table(HEADS, rows)


def _record(task: "Task") -> dict[str, Any]:
    return {
        "TaskUID": task.uid,
        "Status": task.status,
        "Progress": task.progress,
        "QueuePosition": task.queue_position,
        "ConsumeApiPoint": task.points,
        "SeedList": list(task.seeds),
        "ImgList": list(task.images),
        "ErrorCode": task.error_code,
        "ErrorMessage": task.error_message,
        "Notices": list(task.notices),
    }
