"""``restyle convert``: one photograph, many, or folders of them, in one style or several."""

import os
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from math import inf
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from restyle.cli import kept, results
from restyle.cli.complete import control_types, resize_modes, styles
from restyle.cli.exits import Exit, exit_of
from restyle.cli.output import (
    AsJson,
    PrivateKey,
    PublicKey,
    Url,
    Whole,
    fail,
    need_keys,
    progress,
    say,
    say_json,
    shown,
)
from restyle.cli.photographs import find, refuse_empty
from restyle.cli.words import in_options, of_pictures
from restyle.client.errors import NO_ANSWER
from restyle.conversion.stylecode import is_code
from restyle.wire.codes import Code
from restyle.wire.names import PICTURES

if TYPE_CHECKING:
    from PIL import Image

    from restyle.client.core import Progress
    from restyle.client.sync import Client
    from restyle.client.task import Task
    from restyle.conversion.options import Options

Draw = Callable[[Path, Path | str, "Progress"], "list[Image.Image]"]

OF_ALL = frozenset(code for code in Code if code < Code.ENGINE_FAILED) - {Code.IMAGE_UNREADABLE, Code.BODY_TOO_LARGE}
"""What is wrong with what was asked, or where, and would be with the next picture. The rest may be wrong with one."""


@dataclass(frozen=True, slots=True)
class Writing:
    """How results are written."""

    quality: int
    overwrite: bool


def convert(
    raw: Annotated[list[Path], typer.Argument(help="Photographs, or folders of them.", show_default=False)],
    style: Annotated[
        list[str],
        typer.Option(
            "--style",
            "-s",
            help="The picture whose style is taken, or the name of a kept style, such as woodcut. May be repeated.",
            autocompletion=styles,
        ),
    ],
    output: Annotated[
        str | None,
        typer.Option(
            "--output",
            "-o",
            help="The PNG, JPEG or WebP to write, or a folder. Otherwise NAME.restyled.png beside NAME.",
        ),
    ] = None,
    recursive: Annotated[bool, typer.Option("--recursive", "-r", help="Read folders in folders as well.")] = False,
    overwrite: results.Overwrite = False,
    format: results.FormatChoice = None,
    quality: results.Quality = results.QUALITY,
    strength: kept.Strength = None,
    seed: Annotated[int, typer.Option(help="The same seed gives the same picture; -1 draws one for all.")] = -1,
    batch: Annotated[int, typer.Option(help="Pictures to make of each photograph, 1 to 16.")] = 1,
    width: Annotated[
        int | None, typer.Option(help="Width in pixels, 64 to 2560; otherwise the photograph's.", show_default=False)
    ] = None,
    height: Annotated[
        int | None, typer.Option(help="Height in pixels, 64 to 2560; otherwise the photograph's.", show_default=False)
    ] = None,
    preserve_color: kept.PreserveColor = None,
    keep_alpha: Annotated[bool, typer.Option("--keep-alpha", help="Keep what is transparent so.")] = False,
    resize_mode: Annotated[
        str,
        typer.Option(
            help="JustResize, CropAndResize or ResizeAndFill, for a size of another shape.", autocompletion=resize_modes
        ),
    ] = "CropAndResize",
    control_type: Annotated[
        str | None,
        typer.Option(
            help="What a ControlNet is shown: canny, tile, depth, lineart, softedge or openpose.",
            show_default="the model's",
            autocompletion=control_types,
        ),
    ] = None,
    control_image: Annotated[
        Path | None, typer.Option(help="A picture that shows it, such as depth or a pose.", show_default=False)
    ] = None,
    mask: Annotated[
        Path | None,
        typer.Option(help="A picture that is white where to redraw, black where not.", show_default=False),
    ] = None,
    model: kept.Model = None,
    prompt: kept.Prompt = None,
    negative: kept.Negative = None,
    translate: kept.Translate = None,
    sub: kept.SubModels = None,
    steps: kept.Steps = None,
    sampler: kept.Sampler = None,
    clip_skip: kept.ClipSkip = None,
    cfg_scale: kept.CfgScale = None,
    main_model_vae: kept.MainModelVae = None,
    url: Url = None,
    public_key: PublicKey = None,
    private_key: PrivateKey = None,
    as_json: AsJson = False,
) -> int:
    """Redraw photographs in the style of a picture, or of a kept style.

    Give one photograph, many, or folders of them. Every photograph meets every style. What is given here goes over what
    a kept style says; `restyle styles list` shows those there are.
    """
    from restyle.conversion.seeds import drawn_seed

    options: dict[str, Any] = {
        # One for all pictures, so that what depends on a style and its seed alone is done once.
        "seed": drawn_seed() if seed == -1 else seed,
        "batch_size": batch,
        "width": width,
        "height": height,
        **kept.given(
            strength=strength,
            preserve_color=preserve_color,
            model=model,
            prompt=prompt,
            negative=negative,
            translate=translate,
            sub=sub,
            steps=steps,
            sampler=sampler,
            clip_skip=clip_skip,
            cfg_scale=cfg_scale,
            main_model_vae=main_model_vae,
        ),
    }
    # What PICPIK's own service does not know is sent only when asked for.
    if keep_alpha:
        options["keep_alpha"] = True
    if resize_mode != "CropAndResize":
        options["resize_mode"] = resize_mode
    beside = {"control_type": control_type, "control_image": control_image, "mask": mask}
    options |= {name: value for name, value in beside.items() if value is not None}
    found = find(raw, recursive=recursive)
    for sentence in found.left_out:
        say(f"restyle: left out: {sentence}", err=True)
    refuse_empty(found, recursive=recursive)
    wanted = list({one if is_code(one) else os.path.abspath(one): style_of(one) for one in style}.values())
    works = results.plan(found.photographs, wanted, output, batch, format, overwrite=overwrite)
    if keep_alpha and any(results.FORMATS[path.suffix.lower()] == results.Format.JPEG for path in works[0].results):
        raise typer.BadParameter("JPEG has no transparency; with --keep-alpha write PNG or WebP")
    way = _through_service(url, *need_keys(public_key, private_key), options) if url else _here(options)
    done: list[dict[str, Any]] = []
    whole = Whole(len(works))
    try:
        with way as draw:
            for work in works:
                record = _attempt(work, draw, Writing(quality, overwrite), whole, as_json)
                done.append(record)
                whole.done += 1
                if "Error" in record and _of_all(record, options, wanted):
                    _give_up(whole)
                    break
    finally:  # also of what Ctrl-C ended
        if as_json:
            say_json(done)
    failed = [record["ErrorCode"] for record in done if "Error" in record]
    if failed and len(failed) < len(done):
        return Exit.SOME_FAILED
    return exit_of(failed[0]) if failed else Exit.DONE


def style_of(text: str) -> Path | str:
    """A file, or the name of a kept style as it is."""
    return text if is_code(text) else Path(text)


def _of_all(record: dict[str, Any], options: dict[str, Any], styles: list[Path | str]) -> bool:
    """Whether what is wrong with one pair of pictures would be wrong with all that follow."""
    code, field = record["ErrorCode"], record["Field"]
    if field in PICTURES:
        return True  # which all have
    if field in ("style", "ImageList[1]", "StyleCode"):
        return len(styles) == 1
    if str(field).startswith("ImageList[") and field != "ImageList[0]":
        return True
    if str(field).lower() in ("width", "height") and options[str(field).lower()] is None:
        return False  # a side that follows the photograph
    return code in OF_ALL or code == NO_ANSWER


def _give_up(whole: Whole) -> None:
    if rest := whole.pieces - whole.done:
        fail(f"{rest} more not tried, since the same would be wrong with {'it' if rest == 1 else 'them'}")


def _attempt(work: results.Work, draw: Draw, writing: Writing, whole: Whole, as_json: bool) -> dict[str, Any]:
    """Do it, or say why not: of many photographs, one that is broken does not stop the others."""
    from restyle.wire.errors import RestyleError

    began = time.perf_counter()
    record: dict[str, Any] = {"Raw": str(work.raw), "Style": str(work.style)}
    name = shown(work.raw.name)
    text = name if whole.pieces == 1 else f"{whole.done + 1}/{whole.pieces} {name}"
    try:
        with progress(text, shown=not as_json, whole=whole) as report:
            images = draw(work.raw, work.style, report)
        results.write(images, work.results, writing.quality, overwrite=writing.overwrite)
    except RestyleError as error:
        message = of_pictures(error, raw=shown(work.raw), style=shown(work.style))
        fail(message)
        return record | {"Error": message, "ErrorCode": int(error.code), "Field": error.field}
    seconds = time.perf_counter() - began
    if not as_json:
        for path in work.results:
            say(f"{shown(path)}  {images[0].width}x{images[0].height}  {seconds:.1f} s")
    notices = [in_options(notice) for notice in images[0].info.get("notices", ())]
    for notice in () if as_json else notices:
        say(f"restyle: {shown(work.raw)}: {notice}", err=True)
    return record | {
        "Results": [str(path) for path in work.results],
        "SeedList": [image.info["seed"] for image in images if "seed" in image.info],
        "Width": images[0].width,
        "Height": images[0].height,
        "Seconds": round(seconds, 3),
        "Notices": notices,
    }


@contextmanager
def _here(options: dict[str, Any]) -> Iterator[Draw]:
    from restyle.library import draw_here
    from restyle.wire.codes import Code
    from restyle.wire.errors import RestyleError

    def draw(raw: Path, style: Path | str, report: "Progress") -> "list[Image.Image]":
        try:
            return draw_here(raw, style, cast("Options", options), report, own_process=True)
        except (RestyleError, OSError):
            raise
        except MemoryError as error:
            raise RestyleError(
                Code.OUT_OF_MEMORY, "the machine's memory does not suffice; give a smaller --width and --height"
            ) from error
        except Exception as error:  # an engine may raise anything; it ends its picture, as in a worker
            raise RestyleError(Code.ENGINE_FAILED, f"drawing failed: {type(error).__name__}: {error}") from error

    yield draw


@contextmanager
def _through_service(url: str, public_key: str, private_key: str, options: dict[str, Any]) -> Iterator[Draw]:
    from restyle.client.errors import NoAnswer
    from restyle.client.sync import Client

    with Client(url, public_key, private_key) as client:

        def draw(raw: Path, style: Path | str, report: "Progress") -> "list[Image.Image]":
            mark = str(uuid.uuid4())
            task = None
            try:
                task = client.submit(raw, style, request_uuid=mark, **options)
                # whoever has enough of waiting presses Ctrl-C
                return client.download(client.wait(task, on_progress=report, timeout=inf))
            except NoAnswer as error:
                if task is None:
                    raise
                later = f"`restyle tasks fetch {task.uid}` gets its pictures"
                raise NoAnswer(f"{error.message}; task {task.uid} goes on, and {later}") from error
            except KeyboardInterrupt:
                # the same request again is the same task, where the service has taken it and the answer was lost
                _terminate(client, lambda: task or client.submit(raw, style, request_uuid=mark, **options))
                raise

        yield draw


def _terminate(client: "Client", find: "Callable[[], Task]") -> None:
    """End the task that nobody waits for any more, and say how that went. Ctrl-C again leaves it alone."""
    from restyle.wire.codes import Code
    from restyle.wire.errors import RestyleError

    uid = ""
    try:
        uid = find().uid
        client.cancel(uid)
    except RestyleError as error:
        if uid and error.code == Code.TASK_ENDED:
            say(f"restyle: task {uid} had ended; `restyle tasks fetch {uid}` gets its pictures", err=True)
        else:
            fail(f"task {uid or 'of this request'} may go on: {error.message}")
    except KeyboardInterrupt:
        fail(f"task {uid} goes on; `restyle tasks cancel {uid}` ends it" if uid else "the task may go on")
    else:
        say(f"restyle: task {uid} is terminated", err=True)
